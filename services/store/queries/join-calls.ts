import { EVIDENCE } from '../../model/evidence.ts'
import { OWNED, OWNERS } from './join-addresses.ts'
import { BY_CONNECTION, BY_MENTION, BY_REQUEST, MENTIONED, NAMES, RELAYS, UNANSWERED } from './join-callers.ts'
import { ASKING, CAP, keyOf, minuteOf, SLOT_S, slotOf } from './join-halves.ts'
import { replicaMark } from './replicas.ts'

/*
 * The SELECT that finds who called, for lines whose caller was not proven, in the minutes from `since` to `until`, counted by what
 * became of them. What decides of a line lies within a minute of it, so that the result of a minute does not depend on which minutes
 * are joined with it. Sides are grouped, never joined with each other: a busy connection would make a pair of every two lines. Callers
 * are numbers until the lines are counted, and keys of several columns are one: a million lines of texts took fifteen seconds.
 */

/** How a caller was found, or why it was not. A number in the SELECT until lines are counted: its place in this list. */
export const RUNGS = [
  'two_callers',
  'contradicted',
  'request',
  'request_address',
  'connection',
  'relay',
  'address',
  'request_id',
  'request_id_address',
  'unnamed_caller',
  'forwarded_address',
  'shared_address',
  'unknown_address',
] as const
export type Rung = (typeof RUNGS)[number]

/** What is counted of them. */
export const COUNTS = [
  'requests',
  'denied',
  'lines',
  'lines_denied',
  'not_found',
  'lines_not_found',
  'first_seen',
  'last_seen',
  'mark',
  'replicas',
]

/** A connection that a gateway passed on unread is the caller's own, which the gateway took. */
const SUBJECTS = `
  SELECT
    subject.* EXCEPT (own_connection, latest, client),
    relay.via != 0 AND time <= relay.opened + toIntervalMicrosecond(relay.duration_us) + toIntervalSecond(${SLOT_S}) AS is_relayed,
    if(is_relayed, relay.via, own_connection) AS connection, if(is_relayed, relay.taken_from, subject.client) AS client,
    NOT is_relayed AND subject.client IN (SELECT client ${RELAYS}) AS from_relay
  FROM (
    SELECT
      time, ${slotOf('time')} AS slot, time + toIntervalSecond(${SLOT_S}) AS latest, side, if(side = 'callee', h.connection, 0) AS own_connection, ask,
      if(side = 'callee', h.mention, 0) AS mention, line, mark, client, server, cluster, claimed, is_gateway AND workload = '' AND principal = '' AS is_nameless_gateway,
      edge, method, shape, path_flags, denied, not_found, ${CAP} AS cap
    FROM call_half AS h WHERE ${ASKING}
  ) AS subject
  ASOF LEFT JOIN (SELECT connection, via, server AS taken_from, time AS opened, duration_us ${RELAYS}) AS relay ON subject.own_connection = relay.connection AND subject.latest >= relay.opened`

/** Whom a request id names, where only one does; `address`: whose owner is asked for, of the peer or, where a line hides it, of that one. */
const MENTIONING = `
  SELECT
    subject.*, is_one AND told >= taken AS is_mentioned, if(is_mentioned, told_who, toUInt64(0)) AS mentioned_by,
    if(subject.client = toIPv6('::') AND is_mentioned, told_client, subject.client) AS address
  FROM (SELECT *, ${keyOf('mention', 'slot')} AS mention_key FROM (${SUBJECTS})) AS subject
  LEFT ANY JOIN (SELECT key, client AS told_client, who AS told_who, is_one, told FROM by_mention) AS by_mention_of ON by_mention_of.key = subject.mention_key
  LEFT ANY JOIN (${MENTIONED}) AS mentioned ON mentioned.key = subject.mention_key`

const FOUND = `
  SELECT
    subject.*, by_request.asked = 1 AS same_request, by_request.low AS requester, by_request.high AS other_requester,
    used.low AS user, used.high AS other_user, peer.how AS peer_how, peer.who AS peer_who, gateway.how AS gateway_how, gateway.who AS gateway_who
  FROM (
    SELECT
      *, ${keyOf('connection', 'ask', 'slot')} AS request_key, ${keyOf('connection', minuteOf('time'))} AS connection_key, ${keyOf('address', 'slot', 'toString(cluster)')} AS address_key,
      if(is_nameless_gateway, ${keyOf('server', 'slot', 'toString(cluster)')}, toUInt128(0)) AS gateway_key
    FROM (${MENTIONING})
  ) AS subject
  LEFT ANY JOIN (${BY_REQUEST}) AS by_request ON by_request.key = subject.request_key
  LEFT ANY JOIN (SELECT * FROM by_connection) AS used ON used.key = subject.connection_key
  LEFT ANY JOIN (SELECT key, how, who FROM owners) AS peer ON peer.key = subject.address_key
  LEFT ANY JOIN (SELECT key, how, who FROM owners) AS gateway ON gateway.key = subject.gateway_key`

const answer = (rung: Rung, evidence: keyof typeof EVIDENCE, who = 'toUInt64(0)') =>
  `tuple(toUInt8(${RUNGS.indexOf(rung) + 1}), toInt8(${EVIDENCE[evidence]}), ${who})`
const nobody = (rung: Rung) => answer(rung, 'none')
const isOne = (how: string) => `${how} IN (${OWNED.named}, ${OWNED.service})`

/** The ladder: the strongest way to a caller, or why there is none. What contradicts itself names nobody. */
const DECIDED = `
  SELECT
    *,
    multiIf(
      requester != other_requester OR user != other_user, ${nobody('two_callers')},
      peer_how = ${OWNED.contradicted}, ${nobody('contradicted')},
      requester != 0, ${answer('request', 'joined', 'requester')},
      same_request AND is_peer, ${answer('request_address', 'address', 'peer_who')},
      user % 2 = 1 AND peer_how = ${OWNED.named} AND user != peer_who, ${nobody('contradicted')},
      user != 0, ${answer('connection', 'address', 'user')},
      from_relay, ${nobody('relay')},
      is_peer AND address = client, ${answer('address', 'address', 'peer_who')},
      is_mentioned AND mentioned_by != 0, ${answer('request_id', 'claimed', 'mentioned_by')},
      is_mentioned AND address != client AND is_peer, ${answer('request_id_address', 'claimed', 'peer_who')},
      same_request OR is_mentioned, ${nobody('unnamed_caller')},
      client = toIPv6('::'), ${nobody('forwarded_address')},
      peer_how IN (${OWNED.shared}, ${OWNED.several}), ${nobody('shared_address')},
      ${nobody('unknown_address')}) AS found
  FROM (SELECT *, ${isOne('peer_how')} AS is_peer FROM (${FOUND}))`

const rungIs = (...rungs: Rung[]) => `rung IN (${rungs.map((rung) => RUNGS.indexOf(rung) + 1).join(', ')})`

/**
 * A claim is replaced by what is stronger only, and a sender's word is worth what it is registered for. `stands`: the line's count is
 * the caller's (or the gateway's) then, not the unknown's. `one` and `other`: who is named, or the two that contradict each other.
 */
const JUDGED = `
  SELECT
    *, is_known OR gateway != 0 AS stands, if(is_known, found.3, toUInt64(0)) AS who,
    multiIf(is_known, who, requester != other_requester, requester, ${rungIs('two_callers', 'contradicted')}, greatest(requester, user), toUInt64(0)) AS one,
    multiIf(is_known, toUInt64(0), requester != other_requester, other_requester, ${rungIs('two_callers')}, other_user, toUInt64(0)) AS other
  FROM (
    SELECT
      *, found.1 AS rung, least(found.2, toInt8(cap)) AS evidence, evidence > if(claimed = '', 0, ${EVIDENCE.claimed}) AS is_known,
      if(is_nameless_gateway AND ${isOne('gateway_how')}, gateway_who, toUInt64(0)) AS gateway
    FROM (${DECIDED}))
  WHERE is_known OR side = 'callee'`

/** Of a line what its count is kept under, and what is counted. */
const KEPT = `
  SELECT
    toStartOfMinute(time) AS minute, time, edge, if(stands, method, '') AS method, if(stands, shape, '') AS shape, if(stands, path_flags, 0) AS path_flags,
    rung, is_known, if(is_known, evidence, 0) AS evidence, one, other, gateway, if(is_known, claimed, '') AS claim, line, mark, denied, not_found, stands,
    if(is_known AND NOT denied AND NOT not_found AND client != toIPv6('::'), ${replicaMark('client')}, toUInt256(0)) AS replica,
    ${keyOf('minute', 'edge', 'method', 'shape', 'path_flags', 'rung', 'is_known', 'evidence', 'one', 'other', 'gateway', 'claim')} AS key
  FROM (${JUDGED})`

/** Lines that became the same, counted; repeated lines are requests once. */
const COUNTED = `
  SELECT
    ${['minute', 'edge', 'method', 'shape', 'path_flags', 'rung', 'is_known', 'evidence', 'one', 'other', 'gateway', 'claim'].map((name) => `any(k.${name}) AS ${name}`).join(', ')},
    uniqExactIf(k.line, NOT k.denied) AS requests, uniqExactIf(k.line, k.denied) AS denied, countIf(k.stands AND NOT k.denied) AS lines, countIf(k.stands AND k.denied) AS lines_denied,
    uniqExactIf(k.line, k.not_found) AS not_found, countIf(k.stands AND k.not_found) AS lines_not_found,
    min(k.time) AS first_seen, max(k.time) AS last_seen, min(k.mark) AS mark, groupBitOr(k.replica) AS replicas
  FROM (${KEPT}) AS k GROUP BY k.key`

/** What is asked for several times, found once: without it the engine would analyse and run each anew wherever it stands. */
export const COMMON = `WITH
  by_connection AS MATERIALIZED (${BY_CONNECTION}),
  unanswered AS MATERIALIZED (${UNANSWERED}),
  by_mention AS MATERIALIZED (${BY_MENTION}),
  owners AS MATERIALIZED (${OWNERS}),
  names AS MATERIALIZED (${NAMES})`

const source = (name: string) => `if(is_known, named.${name}, '') AS source_${name}`
const gateway = (name: string) => `gateway_named.${name} AS gateway_${name}`

/** Rows as `joined_call` has them, without their part and version; behind `COMMON`. Some may be the same but for their counts. */
export const CALLS = `
  SELECT
    minute, edge, method, shape, path_flags, ${['cluster', 'namespace', 'workload', 'principal', 'service'].map(source).join(', ')},
    CAST(evidence, 'Enum8(\\'none\\' = 0, \\'claimed\\' = 1, \\'address\\' = 2, \\'joined\\' = 3, \\'verified\\' = 4)') AS source_evidence,
    [${RUNGS.map((rung) => `'${rung}'`).join(', ')}][counted.rung] AS rung,
    multiIf(
      NOT is_known, arrayStringConcat(arraySort(arrayFilter(label -> label != '', [named.label, other_named.label])), ' '),
      claim != '' AND extract(claim, '/ns/([^/]+)/') != source_namespace, claim, '') AS contradicts,
    ${['namespace', 'workload', 'service'].map(gateway).join(', ')},
    ${COUNTS.join(', ')}
  FROM (${COUNTED}) AS counted
  LEFT ANY JOIN names AS named ON named.who = counted.one
  LEFT ANY JOIN names AS other_named ON other_named.who = counted.other
  LEFT ANY JOIN names AS gateway_named ON gateway_named.who = counted.gateway`
