import { EVIDENCE } from '../../model/evidence.ts'
import { ASKING, CAP, keyOf, minuteOf, NEAR, serviceNumber, slotOf, WHO, workloadNumber } from './join-halves.ts'

/*
 * Who may have called: callers' lines by what a callee's line has in common with them. `low` and `high` are the least and the greatest of
 * those that are named (`WHO`); 0 where nobody is, and equal where all name the same.
 */

/** How long a gateway may have held a connection that it passes on. */
export const RELAY_REACH = 'INTERVAL 1 DAY'
/** Connections that a gateway passed on unread: `connection` is its own, `via` the one that it took, from `server`. */
export const RELAYS = `FROM call_half WHERE side = 'relay' AND toStartOfMinute(time) >= {since:DateTime('UTC')} - ${RELAY_REACH} AND toStartOfMinute(time) < {until:DateTime('UTC')} + ${RELAY_REACH}`

/**
 * A caller's request is looked for behind its start no longer than this: a callee starts late where attempts before failed.
 * With the slots before and behind, it is less than the minute that is read around.
 */
const REQUEST_S_MAX = 45

const NAMED = 'minIf(low, low != 0) AS low, max(high) AS high'
/** Callers' lines: only of those whose word may be a join. */
const OPENED = `FROM call_half WHERE ${NEAR} AND side = 'caller' AND ${CAP} >= ${EVIDENCE.joined}`
const OPEN_SLOTS = `arrayJoin(range(${slotOf('time')} - 1, ${slotOf(`time + toIntervalSecond(least(intDiv(duration_us, 1000000), ${REQUEST_S_MAX}))`)} + 2))`
/** Their lines on connections that are asked about. */
const ASKED_FOR = `${OPENED} AND connection != 0 AND connection IN (
  SELECT connection FROM call_half WHERE ${ASKING} AND side = 'callee' UNION DISTINCT SELECT via ${RELAYS})`

/** Who asked the same on the same connection at the same time: the binding that no application can choose. */
export const BY_REQUEST = `
  SELECT key, minIf(who, who != 0) AS low, max(who) AS high, 1 AS asked
  FROM (SELECT ${WHO} AS who, ${keyOf('connection', 'ask', `toInt32(${OPEN_SLOTS})`)} AS key ${ASKED_FOR})
  GROUP BY key`

/** Who used the same connection within a minute: the request's own line may be lost. */
export const BY_CONNECTION = `
  SELECT ${keyOf('connection', 'minute')} AS key, ${NAMED}
  FROM (
    SELECT connection, low, high, toInt32(used + arrayJoin([-1, 0, 1])) AS minute
    FROM (SELECT connection, ${minuteOf('time')} AS used, minIf(who, who != 0) AS low, max(who) AS high FROM (SELECT connection, time, ${WHO} AS who ${ASKED_FOR}) GROUP BY connection, used))
  GROUP BY connection, minute`

/** Request ids of lines whose connection names nobody: only these are looked for. */
export const UNANSWERED = `
  SELECT mention FROM call_half
  WHERE ${ASKING} AND side = 'callee' AND mention != 0 AND ${keyOf('connection', minuteOf('time'))} NOT IN (SELECT key FROM by_connection WHERE high != 0)`

/** Whose request with the same id went to the same server: an application can choose the id, so that this is a claim. */
export const BY_MENTION = `
  SELECT ${keyOf('mention', 'slot')} AS key, slot, any(client) AS client, any(who) AS who, min(one) = max(one) AS is_one, uniqExact(line) AS told
  FROM (SELECT mention, line, client, ${WHO} AS who, sipHash64(client, who) AS one, toInt32(${OPEN_SLOTS}) AS slot ${OPENED} AND mention IN (SELECT mention FROM unanswered))
  GROUP BY mention, slot`

/** How many such requests callees took: where there are more than callers tell of, one of them is somebody else's. */
export const MENTIONED = `
  SELECT ${keyOf('mention', 'slot')} AS key, uniqExact(line) AS taken
  FROM (SELECT mention, line, toInt32(${slotOf('time')} + arrayJoin([-1, 0, 1])) AS slot FROM call_half WHERE ${NEAR} AND side = 'callee' AND mention IN (SELECT mention FROM unanswered))
  GROUP BY mention, slot`

/**
 * Names of the numbers in `WHO` and of services; a cluster only where all that name a workload tell the same. `label`: what people read.
 */
export const NAMES = `
  SELECT who, if(min(cluster) = max(cluster), min(cluster), '') AS cluster, min(namespace) AS namespace, min(workload) AS workload, max(principal) AS principal, min(service) AS service,
    multiIf(workload != '', concat(namespace, '/', workload), principal != '', principal, service) AS label
  FROM (
    SELECT toString(cluster) AS cluster, toString(namespace) AS namespace, toString(workload) AS workload, toString(principal) AS principal, '' AS service, ${WHO} AS who
    FROM (SELECT DISTINCT cluster, namespace, workload, principal FROM call_half WHERE ${NEAR} AND side != 'relay')
    UNION ALL
    SELECT '', '', '', '', toString(service), ${serviceNumber('service')} AS who FROM (SELECT DISTINCT service FROM call_half WHERE ${NEAR} AND side IN ('callee', 'caller'))
    UNION ALL
    SELECT cluster, namespace, workload, '', '', ${workloadNumber('namespace', 'workload')} AS who FROM (SELECT DISTINCT cluster, namespace, workload FROM declared_address WHERE workload != ''))
  WHERE who != 0 GROUP BY who`
