import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { PolicyText } from '../../policy-gen/replay/documents.ts'
import type { RegoEngine } from '../../policy-gen/replay/layer.ts'

/** Which inputs are allowed: a decision is `true`, or an object whose `allowed` is. */
const QUERY =
  '[allowed | some one in input; allowed := {true | d := data.envoy.authz.allow with input as one; object.get({"is": d}, ["is", "allowed"], d) == true} == {true}]'
const DEADLINE_MS = 120_000
const OUTPUT_BYTES_MAX = 2 ** 28
/** Built-in functions that reach out of the evaluation, or tell of the machine: policies may be anybody's. */
const FORBIDDEN = new Set(['http.send', 'net.lookup_ip_addr', 'opa.runtime'])

/** OPA, where files ask for it: to look for the program costs a process. */
export function regoEngineFor(files: readonly PolicyText[]): RegoEngine | null {
  return files.some(({ path }) => path.endsWith('.rego')) ? regoEngine() : null
}

/** OPA as a program: one run decides all inputs. Null when there is none at `CINCH_OPA` or on the PATH. */
export function regoEngine(program = process.env['CINCH_OPA'] ?? 'opa'): RegoEngine | null {
  const current = spawnSync(program, ['capabilities', '--current'], {
    encoding: 'utf8',
    env: {},
    maxBuffer: OUTPUT_BYTES_MAX,
  })
  if (current.status !== 0) return null
  const capabilities = JSON.parse(current.stdout) as { builtins: { name: string }[] }
  const allowed = {
    ...capabilities,
    allow_net: [],
    builtins: capabilities.builtins.filter(({ name }) => !FORBIDDEN.has(name)),
  }
  return (files, inputs) => {
    if (inputs.length === 0) return []
    const folder = mkdtempSync(join(tmpdir(), 'cinch-opa-'))
    try {
      files.forEach(({ path, content }, at) => {
        // A directory each: OPA puts what a directory's data.json holds under its path, so data stays at the top.
        const target = path.endsWith('.rego')
          ? join(folder, 'policies', `${at}.rego`)
          : join(folder, 'policies', 'data.json')
        mkdirSync(dirname(target), { recursive: true })
        writeFileSync(target, content)
      })
      writeFileSync(join(folder, 'capabilities.json'), JSON.stringify(allowed))
      const args = [
        'eval',
        '--format=raw',
        '--stdin-input',
        '--data',
        join(folder, 'policies'),
        '--capabilities',
        join(folder, 'capabilities.json'),
        QUERY,
      ]
      const done = spawnSync(program, args, {
        input: JSON.stringify(inputs),
        encoding: 'utf8',
        env: {},
        timeout: DEADLINE_MS,
        maxBuffer: OUTPUT_BYTES_MAX,
      })
      if (done.status !== 0)
        throw new Error(
          `OPA ended with ${done.status ?? done.signal}: ${(done.stderr || done.stdout).trim().slice(0, 2000)}`,
        )
      return JSON.parse(done.stdout) as boolean[]
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
