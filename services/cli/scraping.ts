import type { Cinch } from '../api/cinch.ts'
import { type Origin, operator } from '../collector/origin.ts'
import { parseTarget, type ScrapeTarget, startScraping } from '../collector/receivers/scrape.ts'
import { CinchError } from '../model/errors.ts'
import type { Arguments, Options } from './options.ts'

/** Options of `cinch serve` for pages of metrics that it looks at. */
export const SCRAPE_OPTIONS: Options = {
  scrape: {
    type: 'string',
    multiple: true,
    value: '[SENDER=]URL',
    help: 'look at this page of a proxy’s metrics, on the word of a registered sender (default: your own); can be repeated',
  },
  'scrape-interval': { type: 'string', value: 'SECONDS', help: 'how often (default 15)' },
}

const SOURCE = 'istio-metrics'
const INTERVAL_S_MIN = 1
const INTERVAL_S_MAX = 3600

/**
 * Starts looking at the targets that the options give.
 * @returns what stops it
 * @throws CinchError `bad_option` for what is no target or interval, and for senders that are not registered
 */
export async function startScrapers(
  cinch: Cinch,
  args: Arguments,
  note: (text: string) => void,
): Promise<() => Promise<void>> {
  const originOf = async (sender: string | undefined): Promise<Origin> => {
    const origin = sender === undefined ? operator() : await cinch.senders.named(sender, SOURCE)
    if (origin) return origin
    throw new CinchError(
      'bad_option',
      `--scrape names the sender '${sender}', which is not registered for ${SOURCE}`,
      `register it: cinch senders add ${sender} --source ${SOURCE}`,
    )
  }
  const targets: ScrapeTarget[] = []
  for (const text of args.list('scrape')) {
    const { sender, url } = parseTarget(text)
    await originOf(sender)
    // Asked for at every look: a sender may have been revoked.
    targets.push({ url, origin: () => originOf(sender) })
  }
  if (targets.length === 0) return async () => {}
  return startScraping(targets, {
    submit: (origin, bytes) => cinch.ingestRequest(SOURCE, origin, bytes),
    intervalMs: readInterval(args.text('scrape-interval') ?? '15') * 1000,
    note,
  })
}

function readInterval(text: string): number {
  const seconds = Number(text)
  if (!/^\d+$/.test(text) || seconds < INTERVAL_S_MIN || seconds > INTERVAL_S_MAX)
    throw new CinchError(
      'bad_option',
      `--scrape-interval ${text} is no interval`,
      `give ${INTERVAL_S_MIN} to ${INTERVAL_S_MAX} seconds`,
    )
  return seconds
}
