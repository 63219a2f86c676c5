import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Fixture, startFixture } from './fixture-server.ts'
import { accessibilityFindings, buildPage, openBrowser, visit, withoutBrowser } from './page.ts'

/** States of the page that a healthy product with data does not show: driven by a server with canned answers. */
describe.skipIf(withoutBrowser())('states of the page', { timeout: 60_000 }, () => {
  let browser: Browser
  let fixture: Fixture

  beforeAll(async () => {
    await buildPage()
    browser = await openBrowser()
  }, 120_000)
  afterAll(() => browser?.close())
  afterEach(() => fixture?.close())

  async function open(size: number, search = '') {
    fixture = await startFixture(size)
    return visit(browser, `${fixture.url}/${search}#token=${fixture.token}`)
  }

  test('empty: says with which command to send data', async () => {
    const { page, close } = await open(0)
    await page.getByText('npx cinch ingest --source istio-json access.log').waitFor()
    expect(await accessibilityFindings(page)).toEqual([])
    await close()
  })

  test('empty window: leads back to the whole history', async () => {
    const { page, close } = await open(0, '?since=2020-01-01T00:00:00Z')
    fixture.sources.push({ id: 'istio-json', title: 'Istio', facts: 3, last_seen: '2026-01-31T23:58:00Z' })
    await page.reload()
    await page.getByRole('button', { name: 'Show the whole history' }).click()
    expect(page.url()).toBe(`${fixture.url}/`)
    await close()
  })

  test('error: shows code, message and the next step, and recovers', async () => {
    const { page, close } = await open(10)
    const error = {
      code: 'CINCH_STORE_BUSY',
      message: 'The store is being migrated.',
      next: 'Wait until cinch migrate has ended.',
    }
    fixture.failures.set('/api/v1/graph', { status: 503, error })
    await page.reload()
    const alert = page.getByRole('alert')
    await alert.waitFor()
    for (const part of Object.values(error)) expect(await alert.textContent()).toContain(part)
    expect(await accessibilityFindings(page)).toEqual([])
    fixture.failures.clear()
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.locator('[data-node]').first().waitFor()
    await close()
  })

  test('cut: says what is shown of how much, and expands a namespace in place', async () => {
    const { page, close } = await open(700)
    await page.getByText('14 of 702').waitFor()
    const group = page.locator('[data-node="group:east/payments"]')
    const order = () =>
      page.locator('[data-node^="group:"]').evaluateAll((all) =>
        all.map((node) => {
          const [x = 0, y = 0] = (node.getAttribute('transform') ?? '').match(/[-\d.]+/g)!.map(Number)
          return { id: node.getAttribute('data-node')!, x, y }
        }),
      )
    const before = await order()
    await group.focus()
    await page.keyboard.press('Enter')
    await page.locator('[data-node="east/payments/api"]').waitFor()
    expect(new URL(page.url()).searchParams.get('expand')).toBe('group:east/payments')
    const after = new Map((await order()).map((place) => [place.id, place]))
    const left = before.filter((place) => after.has(place.id))
    for (const a of left)
      for (const b of left) {
        if (a.x < b.x - 1) expect(after.get(a.id)!.x).toBeLessThan(after.get(b.id)!.x)
      }
    await expect.poll(() => page.locator('[data-node^="east/payments/"]:focus').count()).toBe(1)
    expect(await accessibilityFindings(page)).toEqual([])
    await page.keyboard.press('Escape')
    await expect.poll(() => page.locator('[data-node="group:east/payments"]:focus').count()).toBe(1)
    await close()
  })

  test('a line between namespaces offers to expand them instead of operations', async () => {
    const { page, close } = await open(700, '?from=group:east/shop&to=group:east/data')
    await page.getByRole('button', { name: 'Expand shop' }).click()
    await page.locator('[data-node^="east/shop/"]').first().waitFor()
    await close()
  })

  test('sends the naming rules, and replays what is shown with its report', async () => {
    const { page, close } = await open(10, '?view=policies&since=2026-01-30T00:00:00.000Z')
    await page.getByRole('radio', { name: /^claimed/ }).check()
    await page.getByLabel('Principal of a claimed caller').fill('cluster.local/ns/{namespace}/sa/{workload}')
    await page.getByRole('button', { name: 'Generate and replay' }).click()
    const replay = page.getByRole('region', { name: 'Replay' })
    await replay.getByText('No rule of shop/api allows this caller.').waitFor()
    const [generate, sent] = fixture.received as [Record<string, unknown>, { files: { path: string }[]; since: string }]
    expect(generate).toEqual({
      target: 'istio',
      granularity: 'path',
      evidence: 'claimed',
      principal: 'cluster.local/ns/{namespace}/sa/{workload}',
      since: '2026-01-30T00:00:00.000Z',
    })
    expect(sent.files.map((file) => file.path)).toEqual([
      '1-allow/shop.api.yaml',
      '3-default-deny/shop.yaml',
      'report.json',
    ])
    expect(sent.since).toBe('2026-01-30T00:00:00.000Z')
    await replay.getByRole('button', { name: /Uncertain/ }).click()
    await replay.getByText('The caller has no principal.').waitFor()
    await page.getByText('Assumed, not observed').waitFor()
    await close()
  })
})
