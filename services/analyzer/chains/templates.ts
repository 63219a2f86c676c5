import { readShape, shapeText } from '../../model/shape.ts'
import type { Trace, TraceRecord } from '../../store/queries/chains.ts'
import type { StoredTemplates, TemplateOf } from '../templates/stored.ts'
import { isOutgoing } from './hop.ts'

/** Rank of a path that was seen itself: routes and names are no values of a template. */
const SEEN_RANK = 3

/** Traces with the paths of calls as the templates that were learned of their callees; paths without one stay as they are. */
export async function withTemplates(traces: readonly Trace[], templates: StoredTemplates): Promise<Trace[]> {
  const callees = new Set(traces.flatMap(({ records }) => records.filter(isSeen).map(({ place }) => place)))
  const known = await templates([...callees])
  return traces.map((trace) => ({ ...trace, records: trace.records.map((record) => templated(record, known)) }))
}

/** A client's span is at the caller's place: which callee's template its path has, its server's tells. */
const isSeen = (record: TraceRecord) => record.pathRank === SEEN_RANK && record.place !== '' && !isOutgoing(record)

function templated(record: TraceRecord, known: ReadonlyMap<string, TemplateOf>): TraceRecord {
  const template = isSeen(record)
    ? known.get(record.place)?.({ method: record.method, ...readShape(record.path) })
    : undefined
  return template ? { ...record, path: shapeText(template) } : record
}
