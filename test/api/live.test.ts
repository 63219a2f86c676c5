import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { accessLine } from '../support/telemetry.ts'
import { openApi, type TestApi } from './support.ts'

let api: TestApi
let url = ''
beforeAll(async () => {
  api = await openApi('live')
  await api.app.listen({ port: 0, host: '127.0.0.1' })
  url = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}/api/v1/graph/live`
})
afterAll(() => api.close())

interface Event {
  id: string
  event: string
}

/** Follows as a browser does; `next` waits for the next event. */
async function follow(headers: Record<string, string> = {}) {
  const control = new AbortController()
  const answer = await fetch(url, {
    headers: { authorization: `Bearer ${api.token}`, ...headers },
    signal: control.signal,
  })
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const next = async (): Promise<Event> => {
    for (;;) {
      const found = /id: (.*)\nevent: (.*)\ndata: .*\n\n/.exec(text)
      if (found) {
        text = text.slice(found.index + found[0].length)
        return { id: found[1] ?? '', event: found[2] ?? '' }
      }
      const part = await reader?.read()
      if (!part || part.done) throw new Error('the stream ended')
      text += part.value
    }
  }
  return { answer, next, leave: () => control.abort() }
}

test('whoever follows hears of a change, and on coming back whether one was missed', async () => {
  const page = await follow()
  expect(page.answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  expect(page.answer.headers.get('x-content-type-options')).toBe('nosniff')
  const first = await page.next()
  expect(first.event).toBe('state')
  await api.send('istio-json', accessLine(), api.token)
  const second = await page.next()
  expect(second.event).toBe('changed')
  expect(second.id).not.toBe(first.id)
  page.leave()
  const back = await follow({ 'last-event-id': first.id })
  expect((await back.next()).event).toBe('changed')
  back.leave()
  await api.cinch.analyze()
  const now = await follow()
  const { id } = await now.next()
  const again = await follow({ 'last-event-id': id })
  expect(await again.next()).toEqual({ id, event: 'state' })
  now.leave()
  again.leave()
}, 20_000)

test('nobody without the token, and no more than are allowed', async () => {
  expect((await fetch(url)).status).toBe(401)
  const pages = await Promise.all(Array.from({ length: 64 }, () => follow()))
  const refused = await follow()
  expect(refused.answer.status).toBe(503)
  expect(refused.answer.headers.get('retry-after')).toBe('2')
  for (const page of pages) page.leave()
  await expect
    .poll(async () => {
      const page = await follow()
      page.leave()
      return page.answer.status
    })
    .toBe(200)
}, 20_000)
