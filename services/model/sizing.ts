/**
 * What a store and its service need for a load. Every constant was measured on two processors (AMD EPYC, virtual); where a part of
 * `npm run bench` measures it, that is named beside it; what a load needs elsewhere differs, so measure there what matters.
 */
export interface Load {
  /** Requests a second, on average over the day. */
  requestsPerSecond: number
  /** Edges: pairs of a caller and a callee, as often as different reporters tell of them. */
  edges: number
  /** Operations on all edges together. */
  operations: number
  /** Hours of the day in which an operation is used, on average: 1 to 24. */
  hoursPerDay: number
  factsDays: number
  operationsDays: number
}

/** Measured: `from` is the part of the benchmark, and what it does. */
export interface Measured {
  value: number
  unit: string
  from: string
}

export const CONSTANTS = {
  fact: { value: 42.3, unit: 'bytes a request', from: 'lines: 500,000 access log lines with trace and span id' },
  operationHour: { value: 14.3, unit: 'bytes a row of operation_usage', from: 'lines: real first and last times' },
  operationDay: { value: 17.3, unit: 'bytes a row of operation_usage_day', from: '840,000 generated rows' },
  operationWeek: { value: 25.3, unit: 'bytes a row of operation_week', from: 'size: 2,500,000 generated rows' },
  edgeHour: { value: 16.9, unit: 'bytes a row of edge_usage_hour', from: '17,000,000 generated rows' },
  edgeDay: { value: 19.3, unit: 'bytes a row of edge_usage_day', from: '4,600,000 generated rows' },
  edge: { value: 83, unit: 'bytes an edge', from: '75,000 generated edges' },
  lineProcessor: {
    value: 16.1e-6,
    unit: 'seconds of a processor a line',
    from: 'network: lines over HTTP, all parts',
  },
  idleMemory: { value: 350e6, unit: 'bytes', from: 'the embedded engine, nothing loaded' },
  ingestMemory: { value: 1_100e6, unit: 'bytes', from: 'network: highest while 110,000 lines/s come' },
  edgeMemory: { value: 5_000, unit: 'bytes an edge while graphs are asked for', from: '75,000 generated edges' },
} as const satisfies Record<string, Measured>

/** Peaks, merges and questions beside the average load: the share of the processors that ingest alone may take. */
const PROCESSOR_SHARE_MAX = 0.5
/** Merging holds the old parts and the new ones. */
const DISK_FACTOR = 1.5
const SECONDS_PER_DAY = 86_400

export interface TableSize {
  table: string
  rows_per_day: number
  bytes_per_day: number
  days: number
  bytes: number
}

export interface Sizing {
  tables: TableSize[]
  /** Of all tables, and with the room that merges need. */
  bytes: number
  disk_bytes: number
  memory_bytes: number
  /** Processors, in whole ones; a part of one that ingest keeps busy is `processors_busy`. */
  processors: number
  processors_busy: number
}

/** Sizes for a load that goes on like this every day. */
export function sizeOf(load: Load): Sizing {
  const table = (name: string, rows: number, bytesPerRow: number, days: number): TableSize => ({
    table: name,
    rows_per_day: Math.round(rows),
    bytes_per_day: Math.round(rows * bytesPerRow),
    days,
    bytes: Math.round(rows * bytesPerRow * days),
  })
  const requests = load.requestsPerSecond * SECONDS_PER_DAY
  // No more rows than requests: a rarely used operation makes no row in an hour in which nobody calls.
  const operationHours = Math.min(requests, load.operations * load.hoursPerDay)
  const edgeHours = Math.min(operationHours, load.edges * 24)
  const tables = [
    table('request', requests, CONSTANTS.fact.value, load.factsDays),
    table('operation_usage', operationHours, CONSTANTS.operationHour.value, load.operationsDays),
    table(
      'operation_usage_day',
      Math.min(operationHours, load.operations),
      CONSTANTS.operationDay.value,
      load.operationsDays,
    ),
    table(
      'operation_week',
      Math.min(operationHours, load.operations / 7),
      CONSTANTS.operationWeek.value,
      load.operationsDays,
    ),
    table('edge_usage_hour', edgeHours, CONSTANTS.edgeHour.value, load.operationsDays),
    table('edge_usage_day', Math.min(edgeHours, load.edges), CONSTANTS.edgeDay.value, load.operationsDays),
    { table: 'edge', rows_per_day: 0, bytes_per_day: 0, days: 0, bytes: load.edges * CONSTANTS.edge.value },
  ]
  const bytes = tables.reduce((sum, entry) => sum + entry.bytes, 0)
  const busy = load.requestsPerSecond * CONSTANTS.lineProcessor.value
  return {
    tables,
    bytes,
    disk_bytes: Math.round(bytes * DISK_FACTOR),
    memory_bytes: Math.round(
      Math.max(CONSTANTS.ingestMemory.value, CONSTANTS.idleMemory.value) + load.edges * CONSTANTS.edgeMemory.value,
    ),
    processors: Math.max(2, Math.ceil(busy / PROCESSOR_SHARE_MAX)),
    processors_busy: busy,
  }
}
