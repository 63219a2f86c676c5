import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { hasPrometheus } from './collector/metrics/prometheus.ts'
import { ENGINES, engineBinary } from './lab/engines/setup.ts'
import { kafkaClassPath } from './lab/kafka/setup.ts'
import { labBinary } from './lab/setup.ts'
import { descriptions } from './openapi/setup.ts'

/** Something outside of npm that tests need; without it they are skipped, unless its variable is 1. */
export interface Requirement {
  what: string
  variable: string
  how: string
  present(): boolean
}

export const SHARED_DATA = join(import.meta.dirname, '../../shared/data')

const COMPOSE = [['docker', 'compose'], ['docker-compose']]
let compose: string[] | undefined | 'unknown' = 'unknown'

/** The command that understands `config -q`: the plugin of today, or the program of before. Looked for once: it takes seconds. */
export function composeCommand(): string[] | undefined {
  if (compose === 'unknown')
    compose = COMPOSE.find(([program = '', ...args]) => spawnSync(program, [...args, 'version']).status === 0)
  return compose
}

export const REQUIREMENTS: Requirement[] = [
  {
    what: 'Chromium',
    variable: 'CINCH_REQUIRE_CHROMIUM',
    how: 'apt-get install chromium, or set CHROMIUM_PATH; the screens are tested in it',
    present: () => existsSync(process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'),
  },
  {
    what: 'the lab (Envoy)',
    variable: 'CINCH_REQUIRE_LAB',
    how: 'npm run lab:setup; policies are enforced by a real Envoy in it',
    present: () => labBinary() !== undefined,
  },
  {
    what: 'the lab (Kafka)',
    variable: 'CINCH_REQUIRE_LAB',
    how: 'npm run lab:setup with Java 17 and Maven; topics are read from a real broker of it',
    present: () => kafkaClassPath() !== undefined,
  },
  {
    what: 'the engines that decide by policies, or take them (Cyclonus, kube-network-policies, OPA, the API server’s validation)',
    variable: 'CINCH_REQUIRE_ENGINES',
    how: 'npm run lab:setup with Go 1.26; rendered policies are decided and validated by them',
    present: () => ENGINES.every((engine) => engineBinary(engine) !== undefined),
  },
  {
    what: 'the shared telemetry',
    variable: 'CINCH_REQUIRE_DATA',
    how: 'put the recordings beside the repository, at ../shared/data; real traces and logs are read from there',
    present: () => existsSync(SHARED_DATA),
  },
  {
    what: 'Docker Compose',
    variable: 'CINCH_REQUIRE_COMPOSE',
    how: 'apt-get install docker-compose; docker-compose.yml is validated with it',
    present: () => composeCommand() !== undefined,
  },
  {
    what: 'Prometheus',
    variable: 'CINCH_REQUIRE_PROMETHEUS',
    how: 'apt-get install prometheus; it scrapes, and writes on to Cinch, in a test',
    present: hasPrometheus,
  },
  {
    what: 'descriptions of real APIs',
    variable: 'CINCH_REQUIRE_OPENAPI',
    how: 'npm run openapi:setup; path templates are measured against them',
    present: () => descriptions() !== undefined,
  },
]

export const required = (variable: string) => process.env[variable] === '1'

/** What this machine lacks. */
export function missing(): Requirement[] {
  return REQUIREMENTS.filter((requirement) => !requirement.present())
}
