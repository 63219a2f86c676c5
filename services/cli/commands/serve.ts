import { join } from 'node:path'
import { openCinch } from '../../api/cinch.ts'
import { createServer } from '../../api/server.ts'
import { readOrMakeToken } from '../../api/token.ts'
import type { KafkaConfig } from '../../collector/receivers/kafka/config.ts'
import { CinchError } from '../../model/errors.ts'
import { applyRetention, readRetention } from '../../store/retention.ts'
import { query, type Store } from '../../store/store.ts'
import { openTelemetry, type Telemetry } from '../../telemetry/telemetry.ts'
import { noteRecovery, openOwnStore } from '../backend.ts'
import type { Command, Context } from '../command.ts'
import { KAFKA_OPTIONS, kafkaOptions, startConsuming } from '../consuming.ts'
import { FOLLOW_OPTIONS, followOptions, startFollowing } from '../following.ts'
import { storeLocation } from '../options.ts'
import { quotaOption, RECEIVER_OPTIONS, startOtlp } from '../receiving.ts'
import { SCRAPE_OPTIONS, startScrapers } from '../scraping.ts'

const ROLES = ['collector', 'analyzer', 'api'] as const
type Role = (typeof ROLES)[number]

/** How often derived data is brought up to date: with what a round takes itself, half of the 2 s in which a span is to be seen. */
const ANALYZE_EVERY_MS = 500
/** SDKs report what ended in the 5 s before (`OTEL_BSP_SCHEDULE_DELAY`), Collectors wait up to 5 s more when they are refused. */
const SPANS_SETTLED_MS = 15_000

/** A minute's lines are joined when it has been over for so long: proxies write a line when the request ends, and shippers send within seconds. */
const JOIN_SETTLED_MS = 15_000
const JOIN_EVERY_MS = 10_000
/** As long as a join of ten minutes of a small mesh takes. */
const JOIN_PAUSE_MS = 200

/** A minute's chains are counted when it has been over for so long: by then most of what belongs to them has come. */
const CHAINS_SETTLED_MS = 120_000
const CHAINS_EVERY_MS = 30_000
/** As long as one part of the search takes: it leaves half of the time to others. */
const CHAINS_PAUSE_MS = 200

/** Operations: looked for what changed so often; learned anew after a change of a tenth, or of anything after ten minutes. */
const LEARN_EVERY_MS = 10_000
const LEARN_PACE = { changedShare: 0.1, againMs: 600_000, restRatio: 1, waitMs: 0 }

/** Findings: within a minute of what led to them; a look takes at most a tenth of the time. */
const LOOK_EVERY_MS = 20_000
const LOOK_PACE = { restRatio: 9 }
/** What came is judged so often; it takes a few milliseconds for each entity that did something. */
const RISK_EVERY_MS = 5_000

export const serveCommand: Command = {
  name: 'serve',
  usage: '[--roles collector,analyzer,api] [--host ADDRESS] [--port N]',
  summary: 'run the service: API, screens, ingest, analysis',
  options: {
    roles: { type: 'string', value: 'ROLES', help: `some of ${ROLES.join(',')} (default: all)` },
    host: { type: 'string', value: 'ADDRESS', help: 'address to listen on (default 127.0.0.1)' },
    port: { type: 'string', value: 'N', help: 'port to listen on, 0 for any free one (default 7480)' },
    ...RECEIVER_OPTIONS,
    ...SCRAPE_OPTIONS,
    ...FOLLOW_OPTIONS,
    ...KAFKA_OPTIONS,
  },
  run: async ({ args, print, note }) => {
    const roles = readRoles(args.text('roles'))
    const port = readPort(args.text('port'))
    followOptions(args)
    const kafka = await kafkaOptions(args)
    const store = await openOwnStore(storeLocation(args.text('store')))
    const telemetry = await openTelemetry()
    const told = (text: string) => {
      note(text)
      telemetry.log('warn', text)
    }
    try {
      await serve(store, roles, args.text('host') ?? '127.0.0.1', port, {
        args,
        kafka,
        print,
        note: told,
        telemetry,
      })
    } finally {
      await telemetry.shutdown()
      await store.close()
    }
    return 0
  },
}

async function serve(
  store: Store,
  roles: Set<Role>,
  host: string,
  port: number,
  {
    args,
    kafka,
    print,
    note,
    telemetry,
  }: Pick<Context, 'args' | 'print' | 'note'> & { kafka: KafkaConfig[]; telemetry: Telemetry },
): Promise<void> {
  const { registry } = telemetry
  const cinch = await openCinch(store, {
    gatherer: { note, quotaBytesPerSecond: quotaOption(args) },
    observe: registry,
    job: (name, work) => registry.job(name, work),
    spansSettledMs: SPANS_SETTLED_MS,
    joinPace: { settledMs: JOIN_SETTLED_MS, pauseMs: JOIN_PAUSE_MS },
    learnPace: LEARN_PACE,
    lookPace: LOOK_PACE,
    chainsPace: { settledMs: CHAINS_SETTLED_MS, pauseMs: CHAINS_PAUSE_MS },
  })
  noteRecovery(cinch.recovered, note)
  // Not at every opening of the store: a command without the service's environment would set it back.
  if (roles.has('analyzer')) await applyRetention(store, readRetention())
  const adminToken = readOrMakeToken(join(store.dataDir, 'admin-token'))
  const ready = async () => (await query(store.reads, 'SELECT 1').catch(() => [])).length === 1
  const app = await createServer({
    cinch,
    ready,
    adminToken,
    roles: { api: roles.has('api'), collector: roles.has('collector') },
    log: true,
    telemetry,
  })
  // From here on a signal ends it in order, also while a receiver is still starting.
  const stopped = stopSignal()
  // Ended last to first, also when one of the later ones does not start.
  const stops: (() => Promise<void>)[] = [() => cinch.close(), () => app.close()]
  try {
    const url = await listen(app, host, port)
    store.announce(url)
    if (host !== '127.0.0.1' && host !== 'localhost' && host !== '::1')
      note(`listening on ${host} without TLS: put a proxy with TLS in front, and let only it reach this port`)
    print(`Cinch is at ${url}/#token=${adminToken}`)
    if (roles.has('analyzer')) {
      stops.push(repeated('analysis', () => cinch.analyze(), ANALYZE_EVERY_MS, note))
      stops.push(repeated('the join of callers', () => cinch.joinCallers(), JOIN_EVERY_MS, note))
      stops.push(repeated('learning of operations', () => cinch.learnOperations(), LEARN_EVERY_MS, note))
      stops.push(repeated('the judging of risk', async () => void (await cinch.risk.judge()), RISK_EVERY_MS, note))
      stops.push(repeated('the search for chains', () => cinch.countChains(), CHAINS_EVERY_MS, note))
      stops.push(repeated('the look for findings', () => cinch.findings.look(), LOOK_EVERY_MS, note))
    }
    if (roles.has('collector')) stops.push(await startOtlp(cinch, host, { args, print, note }))
    if (roles.has('collector')) stops.push(await startScrapers(cinch, args, note))
    if (roles.has('collector')) stops.push(await startConsuming(cinch, kafka, note))
    if (roles.has('collector')) stops.push(await startFollowing(cinch, followOptions(args), note))
    await stopped
  } finally {
    for (const stop of stops.reverse()) await stop()
  }
  await cinch.analyze()
}

/** @throws CinchError `bad_option` when the port is taken */
async function listen(app: Awaited<ReturnType<typeof createServer>>, host: string, port: number): Promise<string> {
  return await app.listen({ host, port }).catch((cause) => {
    throw new CinchError(
      'bad_option',
      `cannot listen on ${host}:${port}: ${cause.code ?? cause.message}`,
      'give another --port or --host',
      { cause },
    )
  })
}

/** Does `work` again and again. A fault that stays is noted once, not every time. */
function repeated(
  name: string,
  work: () => Promise<void>,
  everyMs: number,
  note: (text: string) => void,
): () => Promise<void> {
  let last = ''
  let isStopped = false
  const timer = setInterval(() => {
    work().then(
      () => {
        last = ''
      },
      (error: unknown) => {
        const text = error instanceof Error ? error.message : String(error)
        // What was at work when the store was closed is done at the next start.
        if (text !== last && !isStopped) note(`${name} failed, and will be tried again: ${text}`)
        last = text
      },
    )
  }, everyMs)
  return async () => {
    isStopped = true
    clearInterval(timer)
  }
}

function readRoles(text: string | undefined): Set<Role> {
  const asked = (text ?? ROLES.join(',')).split(',')
  const unknown = asked.find((role) => !ROLES.includes(role as Role))
  if (unknown !== undefined)
    throw new CinchError('bad_option', `there is no role '${unknown}'`, `give some of ${ROLES.join(',')}`)
  return new Set(asked as Role[])
}

function readPort(text = '7480'): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new CinchError('bad_option', `--port ${text} is no port`, 'give a number from 0 to 65535')
  return port
}

export async function stopSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve())
    process.once('SIGTERM', () => resolve())
  })
}
