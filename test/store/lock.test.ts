import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { scratch } from '../support/cli.ts'

const PROCESSES = 3
const ROUNDS = 400

const room = scratch('lock')
const children: { child: ChildProcess; lines: Interface }[] = []
let deadPid = 0
beforeAll(async () => {
  const dead = spawn(process.execPath, ['-e', ''])
  deadPid = dead.pid ?? 0
  await once(dead, 'exit')
  for (let index = 0; index < PROCESSES; index++) {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'lock-child.ts')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    children.push({ child, lines: createInterface({ input: child.stdout }) })
  }
})
afterAll(() => {
  for (const { child } of children) child.kill('SIGKILL')
  room.close()
})

/** What each process says when all try to take the same lock at the same moment. */
async function takeAtOnce(dir: string): Promise<string[]> {
  const at = Date.now() + 5
  const answers = children.map(({ lines }) => once(lines, 'line'))
  for (const { child } of children) child.stdin?.write(`${at} ${dir}\n`)
  return (await Promise.all(answers)).map(([line]) => String(line)).sort()
}

const oneTook = ['busy', 'busy', 'taken']

test.each<[string, (dir: string) => void]>([
  ['a holder that was killed', (dir) => writeFileSync(join(dir, 'holder.json'), JSON.stringify({ pid: deadPid }))],
  ['a holder that was killed while it wrote', (dir) => writeFileSync(join(dir, 'holder.json'), '')],
  ['nobody', () => {}],
])(
  `of ${PROCESSES} processes that find %s at the same moment one takes the lock (${ROUNDS} times)`,
  async (name, leave) => {
    for (let round = 0; round < ROUNDS; round++) {
      const dir = room.path(`${name.replaceAll(' ', '-')}-${round}`)
      mkdirSync(dir)
      leave(dir)
      expect(await takeAtOnce(dir), `round ${round}`).toEqual(oneTook)
      expect(readdirSync(dir)).toEqual(['holder.json'])
    }
  },
  60_000,
)
