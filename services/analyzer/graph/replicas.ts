import type { ReplicaRow } from '../../store/queries/replicas.ts'
import type { OperationRow } from '../../store/queries/rollups.ts'

/** The rows with the caller's replicas behind their requests. */
export function withReplicas(rows: readonly OperationRow[], replicas: readonly ReplicaRow[]): readonly OperationRow[] {
  if (replicas.length === 0) return rows
  const marksOf = new Map(replicas.map((row) => [keyOf(row), row.marks]))
  return rows.map((row) => {
    const marks = marksOf.get(keyOf(row))
    return marks ? { ...row, replicas: marks } : row
  })
}

function keyOf({ edge, method, shape, path_flags }: Omit<ReplicaRow, 'marks'>): string {
  return JSON.stringify([edge, method, shape, path_flags])
}
