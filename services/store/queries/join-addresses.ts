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

/**
 * The one that had an address at a slot, by `keyOf(address, slot, cluster)`: `how` it is known, and `who` (`join-halves.ts`). An address
 * is somebody's from a moment before it is told to a moment behind, and between two words of the same when nobody else had it.
 */
export const OWNERS = `
  SELECT ${keyOf('subject.address', 'subject.slot', 'subject.cluster')} AS key, ${owner('words', 'declared')} AS owned, owned.1 AS how, owned.2 AS who
  FROM (SELECT address, slot, cluster, intDiv(slot, ${60 / SLOT_S}) AS minute FROM (${ASKED})) AS subject
  LEFT ANY JOIN (${WORDS}) AS words ON words.address = subject.address AND words.minute = subject.minute
  LEFT ANY JOIN (${DECLARED}) AS declared ON declared.address = subject.address`

function owner(words: string, declared: string): string {
  const [start, end] = [`subject.slot * ${SLOT_S}`, `(subject.slot + 1) * ${SLOT_S}`]
  const pods = ofCluster(`arrayFilter(pod -> ${end} >= pod.4 AND ${start} <= pod.5, ${declared}.pods)`)
  const own = near(ofCluster(`${words}.own`))
  const unknown = (how: keyof typeof OWNED) => `tuple(${OWNED[how]}, toUInt64(0))`
  // Layers of lambdas, for an alias would be expanded wherever it is used.
  return `arrayMap((pods, own, asked, answered) -> multiIf(
    arrayExists(pod -> pod.1, pods), ${unknown('shared')},
    length(arrayDistinct(arrayMap(pod -> pod.2, pods))) > 1 OR length(own) > 1, ${unknown('several')},
    notEmpty(pods) AND notEmpty(own) AND pods[1].2 != own[1], ${unknown('contradicted')},
    notEmpty(pods), tuple(${OWNED.named}, pods[1].2),
    notEmpty(own), tuple(${OWNED.named}, own[1]),
    length(asked) = 1 AND has(answered, asked[1]), tuple(${OWNED.service}, asked[1]),
    length(asked) > 1, ${unknown('several')}, ${unknown('unknown')}),
    [${pods}], [${own}], [${near(`${words}.asked`)}], [${near(`${words}.answered`)}])[1]`
}

/** Clusters may use the same addresses: those of the line's own come first. */
function ofCluster(told: string): string {
  return `if(arrayExists(word -> word.3 = subject.cluster, ${told}), arrayFilter(word -> word.3 = subject.cluster, ${told}), ${told})`
}

/** Whom words name at a slot, each once: those of the moment, else the only one there is, where it was named before and behind. */
function near(told: string): string {
  const names = (words: string) => `arrayDistinct(arrayMap(word -> word.2, ${words}))`
  return `multiIf(
    arrayExists(word -> abs(word.1 - subject.slot) <= 1, ${told}), ${names(`arrayFilter(word -> abs(word.1 - subject.slot) <= 1, ${told})`)},
    length(${names(told)}) = 1 AND arrayExists(word -> word.1 < subject.slot, ${told}) AND arrayExists(word -> word.1 > subject.slot, ${told}), ${names(told)}, [])`
}
