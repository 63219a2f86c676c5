import { NODES_MAX } from '../../analyzer/graph/places.ts'
import { DEPTH_MAX, type View } from '../../analyzer/graph/screen.ts'
import type { Comparison } from '../../model/comparison.ts'
import { CinchError } from '../../model/errors.ts'
import { GROUP_BY, type Graph, isGroupBy, type Screen } from '../../model/graph.ts'
import { type Command, type Context, type Exit, table, toJson } from '../command.ts'
import { FORMATS } from '../graph-formats.ts'
import { type Arguments, WINDOW } from '../options.ts'
import { printable } from '../printable.ts'
import { unnamedText } from '../unnamed.ts'

export const graphCommand: Command = {
  name: 'graph',
  usage:
    '[--since T] [--until T] [--format json|dot|mermaid|graphml] [--group-by WHAT] [--focus NODE] [--compare-since T]',
  summary: 'the graph of requests made: who called whom, for what',
  options: {
    ...WINDOW,
    format: { type: 'string', value: 'FORMAT', help: `${Object.keys(FORMATS).join(', ')} or text` },
    'group-by': {
      type: 'string',
      value: 'WHAT',
      help: `grouped to a screen, by ${GROUP_BY.join(', ')} or label:<key>`,
    },
    focus: { type: 'string', value: 'NODE', help: 'only what is around this node' },
    depth: { type: 'string', value: 'N', help: `hops around the focus, 1 to ${DEPTH_MAX} (default 1)` },
    hide: {
      type: 'string',
      multiple: true,
      value: 'NODE',
      help: 'a caller to leave out, such as a scraper; can be repeated',
    },
    'hide-noise': {
      type: 'boolean',
      help: 'leave out probes, scrapers and synthetic monitoring, and say which; of the whole graph',
    },
    'compare-since': { type: 'string', value: 'T', help: 'what changed against the window from here' },
    'compare-until': {
      type: 'string',
      value: 'T',
      help: 'end of the window compared with (default: where --since is)',
    },
  },
  run: async (context) => {
    const { args, backend } = context
    const window = { since: args.text('since'), until: args.text('until') }
    const since = args.text('compare-since')
    const view = viewOf(args)
    if (since !== undefined) {
      const earlier = { since, until: args.text('compare-until') ?? window.since }
      return printComparison(context, await (await backend()).compare(window, earlier, view?.by ?? 'namespace'))
    }
    if (args.text('compare-until') !== undefined)
      throw refuse('--compare-until has no start', 'give --compare-since too')
    const hideNoise = args.flag('hide-noise')
    if (view && hideNoise) throw refuse('--hide-noise looks at operations, which a part has not', 'give it alone')
    const graph = view
      ? await (await backend()).screen(window, view)
      : await (await backend()).graph({ ...window, hideNoise })
    return printGraph(context, graph)
  },
}

const refuse = (message: string, next: string) => new CinchError('bad_option', message, next)

/** What part is asked for; undefined for the whole graph with all operations. */
function viewOf(args: Arguments): View | undefined {
  const by = args.text('group-by')
  const focus = args.text('focus')
  const depth = Number(args.text('depth') ?? 1)
  if (by !== undefined && !isGroupBy(by))
    throw refuse(`nodes cannot be grouped by '${by}'`, `give one of ${GROUP_BY.join(', ')} or label:<key>`)
  if (!Number.isInteger(depth) || depth < 1 || depth > DEPTH_MAX)
    throw refuse(`--depth ${args.text('depth')} is not from 1 to ${DEPTH_MAX}`, 'give a whole number')
  if (args.text('depth') !== undefined && focus === undefined) throw refuse('--depth has no node', 'give --focus too')
  const hide = args.list('hide')
  if (by === undefined && focus === undefined && hide.length === 0) return undefined
  return { limit: NODES_MAX, by: by ?? 'namespace', expand: new Set(), focus, depth, hide }
}

function printGraph({ args, print }: Context, graph: Graph | Screen): Exit {
  const format = args.flag('json') ? 'json' : (args.text('format') ?? 'text')
  const render = format === 'text' ? undefined : FORMATS[format]
  if (format !== 'text' && !render)
    throw refuse(`there is no format '${format}'`, `give one of text, ${Object.keys(FORMATS).join(', ')}`)
  if (render) {
    print(render(graph))
    return 0
  }
  const edges = [...graph.edges].sort((a, b) => b.requests - a.requests)
  const { window, nodes, unattributed } = graph
  const cut = 'grouping' in graph ? graph.grouping : undefined
  const of = (shown: number, total = shown) => (shown === total ? `${shown}` : `${shown} of ${total}`)
  print(
    `${window.since} to ${window.until}: ${of(nodes.length, cut?.total_nodes)} nodes, ${of(edges.length, cut?.total_edges)} edges${cut && cut.by !== 'none' ? `, grouped by ${cut.by}` : ''}`,
  )
  print(
    table(
      ['caller', 'callee', 'port', 'requests', 'denied', 'operations', 'evidence'],
      edges.map((edge) => [
        edge.source,
        edge.destination,
        String(edge.workload_port || edge.service_port || '-'),
        edge.requests,
        edge.denied,
        cut ? '-' : edge.operations.length,
        edge.evidence,
      ]),
    ),
  )
  for (const entry of unattributed)
    print(
      `no caller known (${entry.reason}): ${entry.requests.toLocaleString('en')} requests to ${printable(entry.destination)}`,
    )
  for (const { source, destination, kind, requests, why } of graph.hidden ?? [])
    print(
      `hidden: ${kind} ${printable(source)} at ${printable(destination)}, ${requests.toLocaleString('en')} requests: ${printable(why)}`,
    )
  const unnamed = unnamedText(graph)
  if (unnamed) print(unnamed)
  return 0
}

function printComparison({ args, print }: Context, comparison: Comparison): Exit {
  if (args.flag('json')) {
    print(toJson(comparison))
    return 0
  }
  const { window, compared_with: earlier, totals, edges, groups, operations } = comparison
  print(`${window.since} to ${window.until} against ${earlier.since} to ${earlier.until}`)
  print(
    `edges: ${totals.edges.new} new, ${totals.edges.gone} gone, ${totals.edges.changed} changed; ${edges.length} shown`,
  )
  print(
    table(
      ['', 'caller', 'callee', 'requests', 'before', 'an hour', 'before', 'evidence', 'before', 'first seen'],
      edges.map((edge) => [
        edge.change,
        edge.source,
        edge.destination,
        edge.requests,
        edge.requests_before,
        edge.rate.toFixed(1),
        edge.rate_before.toFixed(1),
        edge.change === 'gone' ? '-' : edge.evidence,
        edge.change === 'new' ? '-' : edge.evidence_before,
        edge.first_seen.slice(0, 19),
      ]),
    ),
  )
  print(`\ngroups: ${totals.groups} pairs have changes; ${groups.length} shown`)
  print(
    table(
      ['from', 'to', 'new', 'gone', 'changed'],
      groups.map((group) => [group.source, group.destination, group.new, group.gone, group.changed]),
    ),
  )
  print(
    `\noperations: ${totals.operations.new} new, ${totals.operations.gone} gone; ${operations.length} shown${comparison.is_partial ? '; there are more' : ''}`,
  )
  print(
    table(
      ['', 'caller', 'callee', 'method', 'path', 'requests', 'before'],
      operations.map((row) => [
        row.change,
        row.source,
        row.destination,
        row.method,
        row.path,
        row.requests,
        row.requests_before,
      ]),
    ),
  )
  return 0
}
