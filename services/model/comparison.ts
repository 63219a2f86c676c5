import type { Evidence } from './evidence.ts'

/** A window's graph against an earlier one's, as `cinch graph --compare-since` and `GET /api/v1/graph/compare` give it. */
export interface Comparison {
  window: { since: string; until: string }
  compared_with: { since: string; until: string }
  edges: EdgeChange[]
  /** The same changes between groups, all of them counted. */
  groups: GroupChange[]
  operations: OperationChange[]
  /** Of all changes, and how many of them are listed: the largest. */
  totals: {
    edges: Record<Change, number>
    operations: Record<Change, number>
    shown_edges: number
    shown_operations: number
    groups: number
    shown_groups: number
  }
  /** True where more operations changed than are looked at: their totals are of the most used. */
  is_partial: boolean
}

/** `gone` is of the earlier window only: an edge that a sampled or silent reporter no longer tells of looks the same. */
export type Change = 'new' | 'gone' | 'changed'

export interface EdgeChange {
  source: string
  destination: string
  change: Change
  requests: number
  requests_before: number
  denied: number
  denied_before: number
  /** Requests an hour. */
  rate: number
  rate_before: number
  evidence: Evidence
  evidence_before: Evidence
  mtls: 'yes' | 'no' | 'unknown'
  mtls_before: 'yes' | 'no' | 'unknown'
  /** When the pair was seen first and last in all that is stored, also outside both windows: what is new here may be known of old. */
  first_seen: string
  last_seen: string
}

export interface GroupChange extends Record<Change, number> {
  source: string
  destination: string
}

export interface OperationChange {
  source: string
  destination: string
  method: string
  path: string
  change: Change
  requests: number
  requests_before: number
}
