import type { ClickHouseClient } from '@clickhouse/client'
import { query, run } from '../store.ts'

/** How far a file is in the store. `file` is the digest of its first `beginning` bytes; positions count unpacked bytes. */
export interface FilePosition {
  file: string
  beginning: number
  end: number
}

/** Followed files leave rows as they grow; whoever reads a file that is older than so many rows reads it again. */
const POSITIONS_MAX = 500_000

/** The files that were read for this source and cluster, with how far: the newest `POSITIONS_MAX` rows. */
export async function filePositions(
  client: ClickHouseClient,
  source: string,
  cluster: string,
): Promise<FilePosition[]> {
  return await query<FilePosition>(
    client,
    `SELECT file, any(f.beginning) AS beginning, max(f.position) AS end FROM file_progress AS f
     WHERE source_format = {source:String} AND cluster = {cluster:String} GROUP BY file
     ORDER BY max(f.recorded) DESC LIMIT ${POSITIONS_MAX}`,
    { source, cluster },
  )
}

/** Every position whose name begins so, whatever its source and cluster: of logs that are read by offset, such as Kafka's. */
export async function positionsNamed(client: ClickHouseClient, prefix: string): Promise<FilePosition[]> {
  return await query<FilePosition>(
    client,
    `SELECT file, any(f.beginning) AS beginning, max(f.position) AS end FROM file_progress AS f
     WHERE startsWith(file, {prefix:String}) GROUP BY file`,
    { prefix },
  )
}

/** Positions in one statement: a thousand take a third of the text that the engine parses at most. */
const POSITIONS_AT_ONCE = 1000

/** Records how far files of one source and cluster are in the store; a position never goes back. */
export async function recordPositions(
  client: ClickHouseClient,
  source: string,
  cluster: string,
  positions: FilePosition[],
): Promise<void> {
  for (let at = 0; at < positions.length; at += POSITIONS_AT_ONCE)
    await recordSome(client, source, cluster, positions.slice(at, at + POSITIONS_AT_ONCE))
}

async function recordSome(
  client: ClickHouseClient,
  source: string,
  cluster: string,
  positions: FilePosition[],
): Promise<void> {
  await run(
    client,
    `INSERT INTO file_progress (file, source_format, cluster, beginning, position)
     SELECT file, {source:String}, {cluster:String}, beginning, position FROM (SELECT 1)
     ARRAY JOIN {files:Array(String)} AS file, {beginnings:Array(UInt32)} AS beginning, {ends:Array(UInt64)} AS position`,
    {
      source,
      cluster,
      files: positions.map(({ file }) => file),
      beginnings: positions.map(({ beginning }) => beginning),
      ends: positions.map(({ end }) => end),
    },
  )
}
