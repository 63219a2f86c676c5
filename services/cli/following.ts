import type { Cinch } from '../api/cinch.ts'
import type { Follower } from '../collector/receivers/follow.ts'
import { findSource, type Source } from '../collector/sources/index.ts'
import { CinchError } from '../model/errors.ts'
import type { Arguments, Options } from './options.ts'

/** Options of `cinch serve` for files that are followed as they grow. */
export const FOLLOW_OPTIONS: Options = {
  follow: {
    type: 'string',
    multiple: true,
    value: 'SOURCE[@CLUSTER]=GLOB',
    help: 'follow files as they grow and are rotated, such as istio-json@east=/var/log/envoy/*.log; may be repeated',
  },
}

/**
 * A source whose files can be followed: of lines.
 * @throws CinchError `unknown_source`, `bad_option`
 */
export function followable(id: string): Source {
  const source = findSource(id)
  if (source.kind === 'objects')
    throw new CinchError('bad_option', `${source.id} is no source of lines`, 'load its files with cinch ingest')
  return source
}

export interface Followed {
  source: string
  cluster: string
  pattern: string
}

/**
 * What `--follow` asks for.
 * @throws CinchError `unknown_source`, `bad_option`
 */
export const followOptions = (args: Arguments): Followed[] => args.list('follow').map(parse)

/** Follows files, one follower for each source and cluster. @returns ends it */
export async function startFollowing(
  cinch: Pick<Cinch, 'follow'>,
  asked: Followed[],
  note: (text: string) => void,
): Promise<() => Promise<void>> {
  // One follower for all patterns of a source and cluster: they may name the same files.
  const groups = Map.groupBy(asked, ({ source, cluster }) => JSON.stringify([source, cluster]))
  const followers: Follower[] = []
  const stop = async () => {
    await Promise.all(followers.map((follower) => follower.stop()))
  }
  try {
    for (const [key, group] of groups) {
      const [source, cluster] = JSON.parse(key) as [string, string]
      const patterns = group.map(({ pattern }) => pattern)
      followers.push(await cinch.follow(source, cluster, patterns, note))
    }
  } catch (error) {
    await stop()
    throw error
  }
  return stop
}

function parse(text: string): Followed {
  const found = /^([^@=]+)(?:@([^=]*))?=(.+)$/s.exec(text)
  if (!found)
    throw new CinchError(
      'bad_option',
      `--follow ${text} names no source and files`,
      'give SOURCE=GLOB, such as istio-json=/var/log/envoy/*.log',
    )
  return { source: followable(found[1] ?? '').id, cluster: found[2] ?? '', pattern: found[3] ?? '' }
}
