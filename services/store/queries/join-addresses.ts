import { EVIDENCE } from '../../model/evidence.ts'
import { RELAYS } from './join-callers.ts'
import { ASKING, CAP, keyOf, NEAR, SLOT_S, serviceNumber, slotOf, WITHIN, workloadNumber } from './join-halves.ts'

/** A Pod that was declared holds its address so long after it was declared last. */
export const DECLARED_HOLD = 'INTERVAL 10 MINUTE'

/** Addresses whose owner is asked for, each at a slot and as a cluster knows it. */
const ASKED = `
  SELECT DISTINCT client AS address, ${slotOf('time')} AS slot, toString(cluster) AS cluster FROM call_half WHERE ${ASKING} AND client != toIPv6('::')
  UNION DISTINCT
  SELECT DISTINCT server AS address, ${slotOf('time')} AS slot, toString(cluster) AS cluster FROM call_half WHERE ${WITHIN} AND side = 'callee' AND is_gateway AND workload = '' AND principal = ''
  UNION DISTINCT
  SELECT address, slot, cluster FROM (
    SELECT client AS address, slot FROM by_mention
    UNION DISTINCT
    SELECT DISTINCT taken_from AS address, slot FROM (SELECT server AS taken_from ${RELAYS}) AS relay CROSS JOIN (SELECT DISTINCT ${slotOf('time')} AS slot FROM call_half WHERE ${ASKING}) AS slots) AS told
  CROSS JOIN (SELECT DISTINCT toString(cluster) AS cluster FROM call_half WHERE ${ASKING}) AS clusters`

/**
 * What proxies tell of addresses in and around each minute: `own`, of the workload that wrote a line, as its shipper names it; `asked`,
 * the service that callers' proxies were configured to find there; `answered`, the service that callees were asked for there (the
 * server name is a client's to choose, so it only confirms).
 */
const WORDS = `
  SELECT
    address, minute, groupArrayIf(tuple(slot, who, cluster), kind = 'own') AS own, groupArrayIf(tuple(slot, who), kind = 'asked') AS asked,
    groupArrayIf(tuple(slot, who), kind = 'answered') AS answered
  FROM (
    SELECT kind, address, slot, cluster, who, intDiv(slot, ${60 / SLOT_S}) + arrayJoin([-1, 0, 1]) AS minute FROM (
      SELECT 'own' AS kind, any(if(side = 'callee', server, client)) AS address, any(${slotOf('time')}) AS slot, any(toString(h.cluster)) AS cluster,
        any(${workloadNumber('namespace', 'workload')}) AS who
      FROM call_half AS h WHERE ${NEAR} AND side != 'relay' AND workload != '' AND ${CAP} >= ${EVIDENCE.address}
      GROUP BY ${keyOf("if(side = 'callee', server, client)", slotOf('time'), 'h.cluster', 'namespace', 'workload')}
      UNION ALL
      SELECT any(if(side = 'callee', 'answered', 'asked')) AS kind, any(server) AS address, any(${slotOf('time')}) AS slot, '' AS cluster, any(${serviceNumber('service')}) AS who
      FROM call_half WHERE ${NEAR} AND side IN ('callee', 'caller') AND service != '' AND ${CAP} >= ${EVIDENCE.address}
      GROUP BY ${keyOf('side', 'server', slotOf('time'), 'service')}))
  GROUP BY address, minute`

/** Pods that were declared to have an address, and when. */
const DECLARED = `
  SELECT address, groupArray(tuple(shared, ${workloadNumber('namespace', 'workload')}, cluster, toUnixTimestamp(since), toUnixTimestamp(held))) AS pods
  FROM (SELECT address, shared, cluster, namespace, workload, since, max(d.until) + ${DECLARED_HOLD} AS held FROM declared_address AS d GROUP BY address, shared, cluster, namespace, workload, pod, since)
  GROUP BY address`

/** How an owner is known: the first two name one, the others say why nobody is named. */
export const OWNED = { unknown: 0, named: 1, service: 2, shared: 3, several: 4, contradicted: 5 } as const

/*
 * Who had an address is found in layers of queries: an alias would be written out wherever it is used, again and again within
 * each other, and the engine would read a hundred thousand names for one row.
 */

/** What was told of each address around its slot; of the Pods those that had it then. */
const TOLD = `
  SELECT subject.address AS address, subject.slot AS slot, subject.cluster AS cluster, own, asked, answered,
    arrayFilter(pod -> (subject.slot + 1) * ${SLOT_S} >= pod.4 AND subject.slot * ${SLOT_S} <= pod.5, declared.pods) AS holding
  FROM (SELECT address, slot, cluster, intDiv(slot, ${60 / SLOT_S}) AS minute FROM (${ASKED})) AS subject
  LEFT ANY JOIN (${WORDS}) AS words ON words.address = subject.address AND words.minute = subject.minute
  LEFT ANY JOIN (${DECLARED}) AS declared ON declared.address = subject.address`

/** Clusters may use the same addresses: what was told in the line's own comes first. */
const OF_CLUSTER = `
  SELECT address, slot, cluster, asked, answered, if(notEmpty(own_here), own_here, own) AS owning, if(notEmpty(holding_here), holding_here, holding) AS pods
  FROM (SELECT *, arrayFilter(word -> word.3 = cluster, own) AS own_here, arrayFilter(pod -> pod.3 = cluster, holding) AS holding_here FROM (${TOLD}))`

/** Whom words name at the slot's moment, each once, and whom they name at all. */
const NAMING = `
  SELECT address, slot, cluster, arrayExists(pod -> pod.1, pods) AS is_shared, arrayDistinct(arrayMap(pod -> pod.2, pods)) AS declared,
    ${['owning', 'asked', 'answered'].map((told) => `${told}, ${named(`arrayFilter(word -> abs(word.1 - slot) <= 1, ${told})`)} AS ${told}_now, ${named(told)} AS ${told}_ever`).join(', ')}
  FROM (${OF_CLUSTER})`

/** Whom they name: those of the moment, else the only one there is, where it was named before and behind. */
const NAMED = `
  SELECT address, slot, cluster, is_shared, declared, ${['owning', 'asked', 'answered'].map((told) => `${near(told)} AS ${told}_near`).join(', ')}
  FROM (${NAMING})`

/**
 * The one that had an address at a slot, by `keyOf(address, slot, cluster)`: `how` it is known, and `who` (`join-halves.ts`). An address
 * is somebody's from a moment before it is told to a moment behind, and between two words of the same when nobody else had it.
 */
export const OWNERS = `
  SELECT ${keyOf('address', 'slot', 'cluster')} AS key, multiIf(
    is_shared, ${unknown('shared')},
    length(declared) > 1 OR length(owning_near) > 1, ${unknown('several')},
    notEmpty(declared) AND notEmpty(owning_near) AND declared[1] != owning_near[1], ${unknown('contradicted')},
    notEmpty(declared), tuple(${OWNED.named}, declared[1]),
    notEmpty(owning_near), tuple(${OWNED.named}, owning_near[1]),
    length(asked_near) = 1 AND has(answered_near, asked_near[1]), tuple(${OWNED.service}, asked_near[1]),
    length(asked_near) > 1, ${unknown('several')}, ${unknown('unknown')}) AS owned, owned.1 AS how, owned.2 AS who
  FROM (${NAMED})`

function unknown(how: keyof typeof OWNED): string {
  return `tuple(${OWNED[how]}, toUInt64(0))`
}

function named(words: string): string {
  return `arrayDistinct(arrayMap(word -> word.2, ${words}))`
}

function near(told: string): string {
  return `multiIf(notEmpty(${told}_now), ${told}_now,
    length(${told}_ever) = 1 AND arrayExists(word -> word.1 < slot, ${told}) AND arrayExists(word -> word.1 > slot, ${told}), ${told}_ever, [])`
}
