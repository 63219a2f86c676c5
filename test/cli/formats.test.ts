import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { table, toJson } from '../../services/cli/command.ts'
import { FORMATS } from '../../services/cli/graph-formats.ts'
import { printable, printableText } from '../../services/cli/printable.ts'
import type { Graph, GraphNode } from '../../services/model/graph.ts'
import { type Parsed, parseDot, parseGraphml, parseMermaid } from '../support/graph-text.ts'

/** Characters that drive a terminal, or make a line or an order of their own. */
const DRIVING = /(?!\n)[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

const node = (id: string): GraphNode => ({
  id,
  kind: 'workload',
  name: id,
  namespace: '',
  workload: id,
  cluster: '',
  principal: '',
})

function graphOf(names: string[]): Graph {
  const nodes = names.map(node)
  return {
    window: { since: '2026-01-01T00:00:00Z', until: '2026-01-02T00:00:00Z' },
    nodes,
    edges: nodes.map((source, index) => ({
      source: source.id,
      destination: nodes[(index + 1) % nodes.length]?.id ?? '',
      service_port: 0,
      workload_port: 0,
      protocol: 'http',
      requests: index + 1,
      denied: index % 2,
      evidence: 'claimed',
      reporter: 'span',
      mtls: 'unknown',
      first_seen: '2026-01-01T00:00:00Z',
      last_seen: '2026-01-01T00:00:00Z',
      operations: [],
    })),
    unattributed: [],
  }
}

const PARSERS: [string, (text: string) => Parsed, (name: string) => string][] = [
  ['dot', parseDot, printable],
  ['mermaid', parseMermaid, (name) => name],
  ['graphml', parseGraphml, printable],
]

const HOSTILE = [
  'shop/"quoted"',
  'shop/<b>&amp;',
  'shop/]]>',
  'shop/two\nlines',
  'shop/\u001b[31mred\u001b[0m',
  'shop/\u009b2J',
  'shop/back\\slash\\',
  'shop/"] -> "evil',
  'shop/#quot;',
  'shop/\u202egnp.exe',
  'shop/\u0000\u0007',
  'shop/ünïcode-\u{1f980}',
  '-->|1| n0',
]

describe.each(PARSERS)('%s', (format, parse, shown) => {
  const render = FORMATS[format] ?? (() => '')

  test('hostile names stay names', () => {
    const text = render(graphOf(HOSTILE))
    expect(text).not.toMatch(DRIVING)
    const { nodes, edges } = parse(text)
    expect(nodes).toEqual(HOSTILE.map(shown))
    expect(edges).toEqual(
      HOSTILE.map((name, index) => ({
        source: shown(name),
        destination: shown(HOSTILE[(index + 1) % HOSTILE.length] ?? ''),
        requests: index + 1,
      })),
    )
  })

  test('any names, any characters', () => {
    const name = fc.oneof(fc.string({ unit: 'binary', minLength: 1 }), fc.string({ unit: 'grapheme', minLength: 1 }))
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 5 }), (names) => {
        const text = render(graphOf(names))
        expect(text).not.toMatch(DRIVING)
        const parsed = parse(text)
        expect(parsed.nodes).toHaveLength(names.length)
        expect(parsed.edges.map((edge) => edge.source)).toEqual(parsed.nodes)
      }),
      { numRuns: 300, seed: 7 },
    )
  })
})

const dotInstalled = spawnSync('dot', ['-V']).status === 0
test.skipIf(!dotInstalled)('Graphviz itself takes it', () => {
  const ran = spawnSync('dot', ['-Tplain'], { input: FORMATS['dot']?.(graphOf(HOSTILE)) ?? '', encoding: 'utf8' })
  expect(ran.stderr).toBe('')
  expect(ran.stdout.match(/^node /gm)).toHaveLength(HOSTILE.length)
})

test('json means the same and drives nothing', () => {
  const graph = graphOf(HOSTILE)
  expect(toJson(graph)).not.toMatch(DRIVING)
  expect(JSON.parse(toJson(graph))).toEqual(graph)
})

test('a table has one line for each row, whatever is in its cells', () => {
  const text = table(
    ['name'],
    HOSTILE.map((name) => [name]),
  )
  expect(text.split('\n')).toHaveLength(HOSTILE.length + 1)
  expect(text).not.toMatch(DRIVING)
})

test('printable text keeps its own lines and what is no control character', () => {
  expect(printableText('a\n\tb\r\u001b[2J\u0085é')).toBe('a\n\tb\\x0d\\x1b[2J\\x85é')
})
