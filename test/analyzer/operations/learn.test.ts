import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Learned } from '../../../services/analyzer/operations/learn.ts'
import { learnTemplates } from '../../../services/analyzer/operations/learn.ts'
import { formOf, Matcher } from '../../../services/analyzer/operations/matcher.ts'
import type { SeenPath } from '../../../services/analyzer/operations/rows.ts'
import type { Pin } from '../../../services/model/template.ts'
import { CASES, FILES, values } from './cases.ts'

const seen = (path: string, requests = 1, more: Partial<SeenPath> = {}): SeenPath => ({
  ...{ method: 'GET', path, requests, callers: ['shop'] },
  ...more,
})
const pathsOf = ({ templates }: Learned) => templates.map(({ method, path }) => `${method} ${path}`)
const learn = (paths: readonly SeenPath[], pins: Pin[] = []) => learnTemplates(paths, { pins }).learned

describe('what is learned', () => {
  test.each(CASES)('$name', ({ seen: paths, templates }) => {
    expect(pathsOf(learn(paths)).sort()).toEqual([...templates].sort())
  })
})

describe('a series', () => {
  const articles = Array.from(
    { length: 30 },
    (_, n) => `SKU-${(0x3f1 * (n + 3)).toString(16).toUpperCase()}-${10_000 + 137 * n}`,
  )
  const indexed = articles.map((article) =>
    seen(`/products/_doc/${article}`, 4, { method: 'PUT', callers: ['indexer'] }),
  )

  test('is a parameter, though a job asked for each of its values as often', () => {
    const search = seen('/products/_search', 900, { method: 'POST' })
    const { templateOf } = learnTemplates([...indexed, search])
    expect(templateOf({ method: 'PUT', path: '/products/_doc/SKU-0A1-99999' })?.path).toMatch(
      /^\/products\/_doc\/(SKU-)?\{value\}$/,
    )
    expect(templateOf({ method: 'POST', path: '/products/_search' })?.path).toBe('/products/_search')
  })

  test('of a few is none: versions and quarters are names', () => {
    const quarters = ['q1-2026', 'q2-2026', 'q3-2026', 'q4-2026'].map((quarter) => seen(`/reports/${quarter}`, 40))
    expect(pathsOf(learn(quarters)).sort()).toEqual(quarters.map(({ path }) => `GET ${path}`).sort())
  })

  test('keeps a text that others use than the rest', () => {
    const own = seen('/products/_doc/SKU-000-00000', 9, { method: 'PUT', callers: ['admin'] })
    const { templateOf } = learnTemplates([...indexed, own])
    expect(templateOf(own)?.path ?? own.path).toBe(own.path)
  })
})

describe('what a template tells', () => {
  const paths = [
    ...values('user', 8).flatMap((user) => [seen(`/users/${user}`), seen(`/users/${user}/posts`)]),
    ...[1, 2, 3, 4].map((id) => seen(`/a/${id}/b/${id}`, 2, { callers: ['shop', 'admin'] })),
  ]
  const { learned, templateOf } = learnTemplates(paths)
  const find = (path: string) => learned.templates.find((template) => template.path === path)

  test('paths, requests, callers', () => {
    expect(find('/users/{value}')).toMatchObject({ id: 'GET /users/{}', paths: 8, requests: 8, callers: ['shop'] })
    expect(find('/a/{int}/b/{int}')).toMatchObject({ paths: 4, requests: 8, callers: ['admin', 'shop'] })
  })

  test('the widening: unseen combinations of seen values, and the share of requests on new paths', () => {
    expect(find('/users/{value}')?.widening).toEqual({ combinations: 0, unseen: 1, open: true })
    expect(find('/a/{int}/b/{int}')?.widening).toEqual({ combinations: 4 * 4 - 4, unseen: 0, open: true })
  })

  test('it is found again, also for a value that nobody sent yet, but not for a value of another kind', () => {
    expect(templateOf({ method: 'GET', path: '/users/new-one' })?.path).toBe('/users/{value}')
    expect(templateOf({ method: 'GET', path: '/a/77/b/78' })?.path).toBe('/a/{int}/b/{int}')
    expect(templateOf({ method: 'GET', path: '/a/admin/b/78' })).toBeUndefined()
    expect(templateOf({ method: 'POST', path: '/users/new-one' })).toBeUndefined()
    expect(templateOf({ method: 'GET', path: '/users/../admin' })).toBeUndefined()
    expect(templateOf({ method: 'GET', path: '/users/' })).toBeUndefined()
  })

  test.each([
    ['whole segments', values('u', 9).map((user) => seen(`/users/${user}`)), ''],
    ['no parameter', [seen('/a=b/*', 9)], ''],
    ['a part of a segment', [1, 2, 3, 4, 5].map((n) => seen(`/report-${n}.pdf`)), /part of a segment/],
    ["values with '='", values('', 9).map((value) => seen(`/keys/${btoa(`secret${value}`)}=`)), /'='/],
    ['a name beside it that may not stand there', values('u', 9).map((user) => seen(`/a*/${user}`)), /"a\*"/],
  ])('Istio: %s', (_, paths, limit) => {
    const [template] = learn(paths).templates
    if (typeof limit === 'string') expect(template?.istio).toBe(limit)
    else expect(template?.istio).toMatch(limit)
  })
})

describe('what is not sure enough to be a template', () => {
  test('is not swallowed by one: a path of other callers only', () => {
    const paths = [
      ...values('user', 12).map((user) => seen(`/users/${user}`)),
      seen('/users/all', 4, { callers: ['admin'] }),
    ]
    const { learned, templateOf } = learnTemplates(paths)
    expect(pathsOf(learned)).toEqual(['GET /users/{value}'])
    expect(templateOf({ method: 'GET', path: '/users/all' })).toBeUndefined()
    expect(learned.folded.rare).toEqual({ paths: 1, requests: 4 })
  })
})

describe('what is stored of it', () => {
  const users = values('user', 2000).map((user) => seen(`/users/${user}`))
  const others = (count: number) =>
    values('own', count).map((name) => seen(`/users/${name}`, 4, { callers: [`caller of ${name}`] }))

  test('is enough to find each path its template, and none to those that have none', () => {
    const paths = [...users, ...others(20), seen('/health', 9), ...FILES.map((file) => seen(file))]
    const { learned, templateOf } = learnTemplates(paths)
    const stored = new Matcher([...learned.templates, ...learned.apart].map(formOf))
    const templates = new Set(learned.templates.map(({ id }) => id))
    for (const path of [...paths, seen('/users/new'), seen('/files/a/b/c'), seen('/files')]) {
      const id = stored.match(path)?.form.id ?? ''
      expect(templates.has(id) ? id : undefined).toBe(templateOf(path)?.id)
    }
    expect(learned.apart).toHaveLength(20)
  })

  test('a template that would swallow more than can be remembered is none', () => {
    const { learned, templateOf } = learnTemplates([...users, ...others(1001)])
    expect(learned).toMatchObject({ templates: [], apart: [] })
    expect(learned.folded.full).toEqual({ paths: 2000, requests: 2000 })
    expect(templateOf({ method: 'GET', path: '/users/new' })).toBeUndefined()
  })
})

describe('order and time', () => {
  const path = fc
    .tuple(
      fc.constantFrom('GET', 'POST'),
      fc.array(
        fc.constantFrom(
          'users',
          'me',
          'v1',
          '7',
          '42',
          'a-b',
          'x.json',
          'y:cancel',
          'c;v=1',
          '',
          'Zoë',
          '%41',
          'q',
          'w',
          'e',
          'r',
        ),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
      fc.integer({ min: 0, max: 12 }),
      fc.constantFrom('shop', 'admin'),
    )
    .map(([method, segments, requests, caller]) =>
      seen(`/${segments.join('/')}`, requests, { method, callers: [caller] }),
    )
  const distinct = fc.uniqueArray(path, { maxLength: 120, selector: (one) => `${one.method} ${one.path}` })
  const shuffled = distinct.chain((paths) =>
    fc.tuple(fc.constant(paths), fc.shuffledSubarray(paths, { minLength: paths.length })),
  )

  test('the same traffic in any order gives the same templates, sampled or not', () => {
    fc.assert(
      fc.property(shuffled, fc.constantFrom(10, 1000), ([paths, others], sampleMax) => {
        const [left, right] = [paths, others].map((order) => learnTemplates(order, { sampleMax }).learned)
        expect(right?.templates).toEqual(left?.templates)
        expect(right?.folded).toEqual(left?.folded)
      }),
      { seed: 7, numRuns: 300 },
    )
  })

  test('every request is counted once: under a template, or as folded', () => {
    fc.assert(
      fc.property(distinct, fc.constantFrom(1, 3, 1000), (paths, templatesMax) => {
        const { templates, folded } = learnTemplates(paths, { templatesMax }).learned
        const counted = [...templates, ...Object.values(folded)].reduce((sum, { requests }) => sum + requests, 0)
        expect(counted).toBe(paths.reduce((sum, { requests }) => sum + requests, 0))
        expect(templates.length).toBeLessThanOrEqual(templatesMax)
      }),
      { seed: 7, numRuns: 300 },
    )
  })

  test('a template never covers a path of another method, or one that was refused or not found', () => {
    fc.assert(
      fc.property(distinct, (paths) => {
        const { learned } = learnTemplates(paths)
        const served = new Set(paths.filter(({ requests }) => requests > 0).map(({ method }) => method))
        for (const { method, requests } of learned.templates) {
          expect(served).toContain(method)
          expect(requests).toBeGreaterThan(0)
        }
      }),
      { seed: 7 },
    )
  })

  test('the same again is no new version; what is new says what it was before', () => {
    const first = learn(values('user', 9).map((user) => seen(`/users/${user}`)))
    expect(first).toMatchObject({ version: 1, changes: [{ change: 'new', id: 'GET /users/{}', from: [] }] })
    const again = learnTemplates([seen('/users/other')], { previous: first }).learned
    expect(again).toMatchObject({ version: 1, changes: [] })
    const more = learnTemplates([seen('/users/me', 60, { callers: ['admin'] })], { previous: again }).learned
    expect(pathsOf(more)).toEqual(['GET /users/me', 'GET /users/{value}'])
    expect(more.changes).toEqual([{ change: 'new', id: 'GET /users/me', from: ['GET /users/{}'] }])
    expect(more.templates.map(({ version, since }) => [version, since])).toEqual([
      [1, 2],
      [1, 1],
    ])
  })

  test('a parameter whose values turn out to be of other kinds is a new version of itself', () => {
    const first = learn([1, 2, 3, 4, 5, 6].map((id) => seen(`/users/${id}`)))
    const more = learnTemplates(
      values('user', 9).map((user) => seen(`/users/${user}`)),
      { previous: first },
    ).learned
    expect(more.changes).toEqual([{ change: 'changed', id: 'GET /users/{}', from: [] }])
    expect(more.templates[0]).toMatchObject({ path: '/users/{value}', version: 2, since: 1 })
  })

  test('full: what is known stays, nothing is widened, and what was folded is said', () => {
    const first = learnTemplates([seen('/a', 9), seen('/b', 9)], { templatesMax: 2 }).learned
    const more = learnTemplates([seen('/c', 900), seen('/a', 9)], { previous: first, templatesMax: 2 })
    expect(pathsOf(more.learned)).toEqual(['GET /a', 'GET /b'])
    expect(more.learned.folded.full).toEqual({ paths: 1, requests: 900 })
    expect(more.templateOf({ method: 'GET', path: '/c' })).toBeUndefined()
  })
})

describe('pins', () => {
  const regions = ['eu', 'us'].flatMap((region) => [
    seen(`/regions/${region}`, 50),
    seen(`/regions/${region}/zones`, 50),
  ])
  const users = [...values('user', 30).map((user) => seen(`/users/${user}`)), seen('/users/me', 3)]

  test('merge: however few values there are', () => {
    expect(pathsOf(learn(regions))).toHaveLength(4)
    const pins: Pin[] = [{ kind: 'merge', at: '/regions/{}' }]
    expect(pathsOf(learn(regions, pins))).toEqual(['GET /regions/{value}', 'GET /regions/{value}/zones'])
  })

  test('split: however many values there are', () => {
    expect(pathsOf(learn(users))).toEqual(['GET /users/{value}'])
    const pins: Pin[] = [{ kind: 'split', at: '/users/me' }]
    const { templateOf } = learnTemplates([...users, seen('/users/me/x', 9)], { pins })
    expect(templateOf({ method: 'GET', path: '/users/me/x' })?.path).toBe('/users/me/x')
    expect(templateOf({ method: 'GET', path: '/users/me' })).toBeUndefined()
  })
})
