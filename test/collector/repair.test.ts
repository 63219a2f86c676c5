import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { repairDeduplication } from '../../services/store/repair.ts'
import { openStore, query, run } from '../../services/store/store.ts'

const root = mkdtempSync(join(tmpdir(), 'cinch-repair-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

let data: string
let tables = 0
beforeEach(() => {
  data = join(root, String(tables++))
})

/** A table's directory as the engine lays it out, with these parts and these log files. */
function table(parts: string[], logs: Record<string, string>, uuid = 'aaa'): string {
  const dir = join(data, 'store', uuid, `${uuid}-1`)
  mkdirSync(join(dir, 'deduplication_logs'), { recursive: true })
  for (const part of parts) mkdirSync(join(dir, part))
  for (const [name, text] of Object.entries(logs)) writeFileSync(join(dir, 'deduplication_logs', name), text)
  return dir
}

const log = (dir: string, name = 'deduplication_log_1.txt') =>
  readFileSync(join(dir, 'deduplication_logs', name), 'utf8')

describe('a fabricated log', () => {
  test('a record whose part is not there is withdrawn; the others stay', () => {
    const text = '1\t202611_1_1_0\tA\n1\t202611_2_2_0\tB\n'
    const dir = table(['202611_1_1_0', 'tmp_insert_202611_2_2_0'], { 'deduplication_log_1.txt': text })
    expect(repairDeduplication(data)).toBe(1)
    expect(log(dir)).toBe(`${text}2\t202611_2_2_0\tB\n`)
    expect(repairDeduplication(data)).toBe(0)
  })

  test('a merged part covers what it was made of; another partition, or a detached part, does not', () => {
    const text = ['1\t202611_1_1_0\tA', '1\t202611_5_5_0\tB', '1\t202612_2_2_0\tC', '1\t202611_9_9_0\tD', ''].join('\n')
    const dir = table(['202611_1_6_1', 'detached', '202611_7_7_0_12'], { 'deduplication_log_1.txt': text })
    expect(repairDeduplication(data)).toBe(2)
    expect(log(dir).slice(text.length)).toBe('2\t202612_2_2_0\tC\n2\t202611_9_9_0\tD\n')
  })

  test('a record that was dropped, in the same file or a later one, is not withdrawn again', () => {
    const logs = {
      'deduplication_log_2.txt': '2\t202611_2_2_0\tB\n1\t202611_12_12_0\tE\n',
      'deduplication_log_1.txt': '1\t202611_2_2_0\tB\n',
      'deduplication_log_10.txt': '2\t202611_12_12_0\tE\n1\t202611_13_13_0\tF\n',
    }
    const dir = table([], logs)
    expect(repairDeduplication(data)).toBe(1)
    // Into the newest file, by number and not by name.
    expect(log(dir, 'deduplication_log_10.txt')).toBe(`${logs['deduplication_log_10.txt']}2\t202611_13_13_0\tF\n`)
    expect(log(dir, 'deduplication_log_2.txt')).toBe(logs['deduplication_log_2.txt'])
  })

  test.each(['1', '1\t20261', '1\t202611_3_3_0\tC', '\0\0\0'])('a torn last line (%j) is cut', (torn) => {
    const whole = '1\t202611_1_1_0\tA\n'
    const dir = table(['202611_1_1_0'], { 'deduplication_log_1.txt': whole + torn })
    expect(repairDeduplication(data)).toBe(0)
    expect(log(dir)).toBe(whole)
  })

  test('a name of an unknown shape is left alone; a table without a log, and no store, are fine', () => {
    table(['all_1_1_0'], { 'deduplication_log_1.txt': '1\tweird\tA\n' })
    mkdirSync(join(data, 'store', 'bbb', 'bbb-1'), { recursive: true })
    expect(repairDeduplication(data)).toBe(0)
    expect(repairDeduplication(join(root, 'nowhere'))).toBe(0)
  })
})

test('the engine: a record without a part makes it drop a repeated insert, and after the repair it takes it', async () => {
  const dir = join(root, 'engine')
  const insert = 'INSERT INTO t SETTINGS insert_deduplication_token = {token:String} SELECT number FROM numbers(10)'
  const withStore = async <T>(work: (store: Awaited<ReturnType<typeof openStore>>) => Promise<T>): Promise<T> => {
    const store = await openStore({ kind: 'chdb', dir })
    try {
      return await work(store)
    } finally {
      await store.close()
    }
  }
  const count = (store: Awaited<ReturnType<typeof openStore>>) =>
    query<{ n: number; id: string }>(store.reads, 'SELECT count() AS n FROM t')
  const path = await withStore(async (store) => {
    await run(
      store.jobs,
      'CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100',
    )
    for (const token of ['a', 'b', 'b']) await run(store.jobs, insert, { token })
    expect(await count(store)).toEqual([{ n: 20 }])
    const [row] = await query<{ path: string }>(
      store.reads,
      "SELECT data_paths[1] AS path FROM system.tables WHERE name = 't'",
    )
    return row?.path ?? ''
  })
  // As a kill leaves it: the record is written, the part's rename is not.
  rmSync(join(path, 'all_2_2_0'), { recursive: true })
  const before = readFileSync(join(path, 'deduplication_logs', 'deduplication_log_1.txt'), 'utf8')
  appendFileSync(join(path, 'deduplication_logs', 'deduplication_log_1.txt'), '1\tall_3')
  await withStore(async (store) => {
    expect(await count(store)).toEqual([{ n: 10 }])
    await run(store.jobs, insert, { token: 'a' })
    expect(await count(store)).toEqual([{ n: 10 }])
    await run(store.jobs, insert, { token: 'b' })
    expect(await count(store)).toEqual([{ n: 20 }])
  })
  expect(before.split('\n').filter((line) => line.startsWith('1\t'))).toHaveLength(2)
})
