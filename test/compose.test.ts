import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { composeCommand, required } from './requirements.ts'

const root = join(import.meta.dirname, '..')
const path = join(root, 'docker-compose.yml')

function config(env: Record<string, string>, command = composeCommand() ?? ['docker', 'compose']) {
  const [program = '', ...args] = command
  const { CLICKHOUSE_PASSWORD: _, ...clean } = process.env
  return spawnSync(program, [...args, '-f', path, 'config', '-q'], { env: { ...clean, ...env }, encoding: 'utf8' })
}

describe.skipIf(!composeCommand() && !required('CINCH_REQUIRE_COMPOSE'))(
  'docker-compose.yml, by Compose itself',
  () => {
    test('is valid', () => {
      const done = config({ CLICKHOUSE_PASSWORD: 'abc123' })
      expect(done.stderr).toBe('')
      expect(done.status).toBe(0)
    })

    test('does not start without a password', () => {
      const done = config({})
      expect(done.status).not.toBe(0)
      expect(done.stderr).toContain('set it to a new password')
    })
  },
)

interface Service {
  ports: string[]
  environment: Record<string, string>
  healthcheck?: unknown
}

describe('docker-compose.yml', () => {
  const { services } = parse(readFileSync(path, 'utf8')) as { services: Record<string, Service> }

  test('publishes on loopback only', () => {
    expect(
      Object.values(services)
        .flatMap(({ ports }) => ports)
        .filter((port) => !port.startsWith('127.0.0.1:')),
    ).toEqual([])
  })

  test('has a health check for each service, and no password', () => {
    for (const service of Object.values(services)) expect(service.healthcheck).toBeDefined()
    const secrets = Object.values(services).flatMap(({ environment }) =>
      Object.entries(environment).filter(([name]) => /PASSWORD|SECRET|TOKEN/.test(name)),
    )
    expect(secrets.length).toBeGreaterThan(0)
    for (const [, value] of secrets) expect(value).toMatch(/^\$\{\w+:\?[^}]+\}$/)
  })
})
