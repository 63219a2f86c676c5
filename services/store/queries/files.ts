import type { ClickHouseClient } from '@clickhouse/client'
import { query, run } from '../store.ts'

/** How far a file is in the store. `file` is the digest of its first `beginning` bytes; positions count unpacked bytes. */
export interface FilePosition {
  file: string
  beginning: number
  end: number
}

/** Every file that was read for this source and cluster, with how far. */
export async function filePositions(
  client: ClickHouseClient,
  source: string,
  cluster: string,
): Promise<FilePosition[]> {
  return await query<FilePosition>(
    client,
    `SELECT file, any(f.beginning) AS beginning, max(f.position) AS end FROM file_progress AS f
     WHERE source_format = {source:String} AND cluster = {cluster:String} GROUP BY file`,
    { source, cluster },
  )
}

export async function recordPosition(
  client: ClickHouseClient,
  source: string,
  cluster: string,
  position: FilePosition,
): Promise<void> {
  await run(
    client,
    `INSERT INTO file_progress (file, source_format, cluster, beginning, position)
     SELECT {file:String}, {source:String}, {cluster:String}, {beginning:UInt32}, {end:UInt64}`,
    { source, cluster, file: position.file, beginning: position.beginning, end: position.end },
  )
}
