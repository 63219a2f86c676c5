/*
 * What the caller join found, as the rollups read it: calls that it names a caller for (or the gateway that took them) are taken from
 * the edge without a caller that they were counted under, and stand for themselves. Sums are the same with and without. They are of
 * that edge's channel, with marks of their own, so that channels that told of the same requests are one, joined or not.
 */

const WINDOW = `minute >= {since:DateTime('UTC')} AND minute < {until:DateTime('UTC')}`
export const STANDS = '(lines > 0 OR lines_denied > 0)'
/** A mark that is less than none. */
const NO_MARK = 'toUInt64(9007199254740991)'
const TAKEN = `-toInt64(lines) AS requests, -toInt64(lines_denied) AS denied, first_seen, last_seen, ${NO_MARK} AS mark`

/** Counts of edges without a caller that are others' now, below zero. */
export const TAKEN_EDGES = `SELECT edge, ${TAKEN} FROM joined_call_hour FINAL WHERE ${WINDOW} AND ${STANDS}`
/** The same by operation. @param when a condition on `minute`, which is an hour's first */
export const takenOperations = (when = WINDOW) =>
  `SELECT edge, minute AS hour, method, shape, path_flags, -toInt64(lines_not_found) AS not_found, ${TAKEN} FROM joined_call_hour FINAL WHERE ${when} AND ${STANDS}`

const FOUND =
  'source_cluster, source_namespace, source_workload, source_principal, source_service, source_evidence, gateway_namespace, gateway_workload, gateway_service'

/** The id of what the edge became; the table `joined_edge` has it beside what it is of. */
export const JOINED_EDGE = `sipHash128(edge, ${FOUND.replace('source_evidence', 'toInt8(source_evidence)')})`

/** Joined calls by the hour, with their ids. @param when a condition on `minute`, which is an hour's first */
export const joinedCalls = (when = WINDOW) =>
  `(SELECT *, ${JOINED_EDGE} AS joined_edge, minute AS hour FROM joined_call_hour FINAL WHERE ${when} AND ${STANDS})`
const ROWS = `${joinedCalls()} AS r`

/** Joined calls of a window by the edge that they were counted under. @param sums of an alias `r`, which has the hour */
export const joinedEdges = (sums: string) =>
  `SELECT edge, joined_edge, ${FOUND}, ${sums} FROM ${ROWS} GROUP BY edge, joined_edge, ${FOUND}`

/** The same by their own ids only. @param where a condition on `joined_edge` */
export const joinedUsage = (sums: string, where: string) =>
  `SELECT joined_edge, ${sums} FROM ${ROWS} WHERE ${where} GROUP BY joined_edge`

/** The same by operation. @param where a condition on `joined_edge` and `hour` */
export const joinedOperations = (sums: string, where: string) =>
  `SELECT edge, joined_edge, ${FOUND}, method, shape, path_flags, uniqExact(toDate(r.hour)) AS days, sum(r.not_found) AS not_found, ${sums} FROM ${ROWS} WHERE ${where}
   GROUP BY edge, joined_edge, ${FOUND}, method, shape, path_flags`

/** The same by the hour, with the marks of the operations. */
export const joinedHours = (sums: string, where: string) =>
  `SELECT joined_edge AS edge, hour, ${sums}, groupUniqArray(r.mark) AS marks FROM ${ROWS} WHERE ${where} GROUP BY joined_edge, hour`

const found = (name: string) => `usage.${name} AS ${name}`
/** Without a name the address stays what it was. */
const IS_NAMED = `usage.source_evidence != 'none'`

/** What a joined call's edge is (aliases `usage` and `edge`), in the order in which the rollups' queries have it. */
const JOINED_IS = `
  cluster, if(usage.gateway_workload != '', usage.gateway_namespace, edge.destination_namespace) AS destination_namespace,
  if(usage.gateway_workload != '', usage.gateway_workload, edge.destination_workload) AS destination_workload,
  destination_service, destination_principal, destination_address, destination_kind,
  ${['source_cluster', 'source_namespace', 'source_workload', 'source_principal'].map((name) => `if(${IS_NAMED}, usage.${name}, edge.${name}) AS ${name}`).join(', ')},
  if(${IS_NAMED}, toIPv6('::'), edge.source_address) AS source_address, if(${IS_NAMED}, usage.source_evidence, edge.source_evidence) AS source_evidence,
  reporter, service_port, workload_port, protocol, mtls, lower(hex(usage.joined_edge)) AS edge, source_format, sender, enforcement_point`
const JOINED_SERVICES = ['source_service', 'gateway_service'].map(found).join(', ')

/** Ends of a joined call with its usage. */
export const JOINED_ENDS = `${JOINED_IS}, mark, active, ${JOINED_SERVICES}`

/** Edges of joined calls, whenever these were. @param which a condition on a row `j` of `joined_edge`, with what may follow one */
export const knownJoinedEdges = (which: string) => `
  SELECT ${JOINED_IS}, ${JOINED_SERVICES}, '' AS unpaired
  FROM (SELECT * FROM joined_edge AS j WHERE ${which}) AS usage
  ANY LEFT JOIN (SELECT * FROM edge AS e WHERE e.edge IN (SELECT j.edge FROM joined_edge AS j WHERE ${which})) AS edge ON edge.edge = usage.edge`
