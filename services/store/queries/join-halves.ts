import { EVIDENCE } from '../../model/evidence.ts'

/** What the parts of the caller join share: which halves they read, whose word they take, and how a caller is compared. */

/** Clocks of two proxies differ by less, and what happened within one such slot counts as at the same time. */
export const SLOT_S = 5
export const slotOf = (time: string) => `toInt32(intDiv(toUnixTimestamp(${time}), ${SLOT_S}))`
export const minuteOf = (time: string) => `toInt32(intDiv(toUnixTimestamp(${time}), 60))`

/** Halves of the minutes that are joined, which are from `since` to `until`; and all of these, and those of a minute around. */
export const WITHIN = `toStartOfMinute(time) >= {since:DateTime('UTC')} AND toStartOfMinute(time) < {until:DateTime('UTC')}
  AND toUnixTimestamp(toStartOfMinute(time)) IN {minutes:Array(UInt32)}`
export const NEAR = `toStartOfMinute(time) >= {since:DateTime('UTC')} - INTERVAL 1 MINUTE AND toStartOfMinute(time) < {until:DateTime('UTC')} + INTERVAL 1 MINUTE`

/** The lines that ask who called, of the part of them that is joined: those of callees, and those of callers that do not say who they are. */
export const ASKING = `${WITHIN} AND (side = 'callee' OR side = 'caller' AND workload = '' AND principal = '' AND NOT is_gateway) AND connection % {parts:UInt64} = {part:UInt64}`

/** What a sender's word can give at most, as it is registered now; one that nobody registered gives nothing. */
const REGISTERED = (column: string) => `(SELECT groupArray(${column}) FROM sender FINAL WHERE NOT revoked)`
export const CAP = `transform(sender, arrayConcat(['operator'], ${REGISTERED('toString(id)')}), arrayConcat([${EVIDENCE.verified}], ${REGISTERED('toInt16(evidence_cap)')}), 0)`

/** A key of several columns: one number is grouped and joined in a fraction of the time, and of 128 bits no two meet. */
export const keyOf = (...columns: string[]) => `reinterpretAsUInt128(sipHash128(${columns.join(', ')}))`

/**
 * Whom a line names, as a number: of a workload odd, of an identity or a service alone even, 0 nobody. The least and the greatest of
 * several are equal where all name the same.
 */
export const workloadNumber = (namespace: string, workload: string) =>
  `bitOr(sipHash64(${namespace}, ${workload}), toUInt64(1))`
const evenNumber = (text: string) => `bitShiftLeft(bitOr(sipHash64(${text}), toUInt64(1)), 1)`
export const serviceNumber = (service: string) => evenNumber(`'service', ${service}`)
export const WHO = `multiIf(workload != '', ${workloadNumber('namespace', 'workload')}, principal != '', ${evenNumber("'principal', principal")}, toUInt64(0))`
