import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ApiError, createApi, createSend, query, toApiError } from './api.ts'
import { type Place, readPlace, VIEWS, writePlace } from './place.ts'

const times = fc.oneof(
  fc.constant(''),
  fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }).map((date) => date.toISOString()),
)
const names = fc.string({ minLength: 1 })

test('a place is read back from its address as it was', () => {
  const places: fc.Arbitrary<Place> = fc.record({
    since: times,
    until: times,
    view: fc.constantFrom(...VIEWS),
    expand: fc.array(names.filter((name) => !name.includes(','))),
    edge: fc.option(fc.record({ source: names, destination: names }), { nil: undefined }),
    requirement: fc.string(),
    finding: fc.string(),
  })
  fc.assert(
    fc.property(places, (place) => {
      expect(readPlace(writePlace(place))).toEqual(place)
    }),
  )
})

test('an address that says nonsense opens the whole graph', () => {
  expect(readPlace('?since=yesterday&view=secret&from=only')).toEqual({
    since: '',
    until: '',
    view: 'graph',
    expand: [],
    edge: undefined,
    requirement: '',
    finding: '',
  })
})

test('empty values are not sent', () => {
  expect(query({ since: '', until: undefined, limit: 150, expand: ['a', 'b'] })).toBe('?limit=150&expand=a%2Cb')
  expect(query({ since: '' })).toBe('')
})

test('errors of the API keep code, message and next step; others say what they are', () => {
  const body = JSON.stringify({ error: { code: 'CINCH_X', message: 'No.', next: 'Do y.' } })
  expect(toApiError(409, body)).toMatchObject({ status: 409, code: 'CINCH_X', message: 'No.', next: 'Do y.' })
  for (const foreign of ['<html>502</html>', '{}', 'null', '[]', '{"error":{"message":7}}']) {
    expect(toApiError(502, foreign)).toMatchObject({ status: 502, code: 'HTTP 502' })
  }
})

const answering = (status: number, body: string, asked: Request[] = []) =>
  (async (path: string, init: RequestInit) => {
    asked.push(new Request(new URL(path, 'http://cinch.test'), init))
    return new Response(body, { status })
  }) as typeof fetch

test('every call carries the token, and goes where the API is', async () => {
  const asked: Request[] = []
  const api = createApi(createSend(() => 'secret', answering(200, '{}', asked)))
  const { signal } = new AbortController()
  await api.graph({ since: '2026-01-01T00:00:00.000Z', until: '' }, ['group:c/a'], signal)
  await api.replay([{ path: 'a.yaml', content: 'x' }], {}, signal)
  expect(asked.map((request) => request.headers.get('authorization'))).toEqual(['Bearer secret', 'Bearer secret'])
  expect(asked.map((request) => `${request.method} ${request.url.slice(17)}`)).toEqual([
    'GET /api/v1/graph?since=2026-01-01T00%3A00%3A00.000Z&limit=150&expand=group%3Ac%2Fa',
    'POST /api/v1/policies/replay',
  ])
})

test('an answer that is no JSON, and no answer at all, are errors that say so', async () => {
  const { signal } = new AbortController()
  const html = createApi(createSend(() => '', answering(200, '<html>')))
  await expect(html.sources(signal)).rejects.toMatchObject({ code: 'HTTP 200' })
  const dead = createApi(
    createSend(
      () => '',
      () => Promise.reject(new TypeError('refused')),
    ),
  )
  await expect(dead.sources(signal)).rejects.toBeInstanceOf(ApiError)
  await expect(dead.sources(signal)).rejects.toMatchObject({ status: 0, code: 'no answer' })
})
