import { readFile } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accessibilityFindings, buildPage, openBrowser, type Visit, visit, withoutBrowser } from './page.ts'
import { type Product, startProduct } from './product.ts'

/** What holds for the page of any running product with data in it. */
describe.skipIf(withoutBrowser())('the page', { timeout: 60_000 }, () => {
  let browser: Browser
  let product: Product

  beforeAll(async () => {
    await buildPage()
    product = await startProduct()
    browser = await openBrowser()
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await product?.close()
  })

  const open = (search = '', options = {}): Promise<Visit> =>
    visit(browser, `${product.url}/${search}#token=${product.token}`, options)
  const nodes = (page: Page) => page.locator('[data-node]')
  const rows = (page: Page) => page.getByRole('region', { name: 'Connections', exact: true }).locator('tbody tr')
  const focused = (page: Page) => page.locator('[data-node]:focus').getAttribute('data-node')

  test('takes the token out of the address, draws the graph and asks nobody else', async () => {
    const { page, problems, close } = await open()
    await nodes(page).first().waitFor()
    expect(page.url()).not.toContain(product.token)
    const [, identities, connections] = /([\d,]+) identities, ([\d,]+) connections/.exec(
      (await page.getByText(/identities, /).textContent()) ?? '',
    )!
    expect(await nodes(page).count()).toBe(Number(identities))
    expect(await rows(page).count()).toBe(Number(connections))
    expect(problems).toEqual([])
    await close()
  })

  test('asks for the token when it is wrong, and says where it is', async () => {
    const { page, close } = await visit(browser, `${product.url}/#token=wrong`)
    await page.getByText('admin-token').first().waitFor()
    await page.getByLabel('Token').fill(product.token)
    await page.getByRole('button', { name: 'Open' }).click()
    await nodes(page).first().waitFor()
    await close()
  })

  test('draws the same graph at the same places', async () => {
    const places: string[] = []
    for (let time = 0; time < 2; time += 1) {
      const { page, close } = await open()
      await nodes(page).first().waitFor()
      const drawn = await nodes(page).evaluateAll((all) =>
        all.map((node) => `${node.getAttribute('data-node')} ${node.getAttribute('transform')}`),
      )
      places.push(drawn.sort().join('\n'))
      await close()
    }
    expect(places[0]).toBe(places[1])
  })

  test('sorts the table by any column', async () => {
    const { page, close } = await open()
    await rows(page).first().waitFor()
    const requests = async () =>
      (await rows(page).locator('td:nth-child(3)').allTextContents()).map((text) => Number(text.replaceAll(',', '')))
    const before = await requests()
    expect(before).toEqual([...before].sort((a, b) => b - a))
    await page.getByRole('button', { name: /^Requests/ }).click()
    expect(await requests()).toEqual([...before].sort((a, b) => a - b))
    expect(await page.getByRole('columnheader', { name: /^Requests/ }).getAttribute('aria-sort')).toBe('ascending')
    await close()
  })

  test('is one tab stop, moves by arrows, opens with Enter and closes with Escape', async () => {
    const { page, close } = await open()
    await nodes(page).first().waitFor()
    const total = await rows(page).count()
    expect(await page.locator('[data-node][tabindex="0"], [data-line][tabindex="0"]').count()).toBe(1)
    await page.getByRole('button', { name: 'Hide table' }).focus()
    await page.keyboard.press('Tab')
    const start = await focused(page)
    expect(start).not.toBeNull()
    const seen = new Set([start])
    for (const key of ['ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowUp', 'ArrowRight', 'ArrowRight']) {
      await page.keyboard.press(key)
      seen.add(await focused(page))
    }
    expect(seen.size).toBeGreaterThan(2)
    await page.keyboard.press('Enter')
    await page.getByTitle('Show all connections again').waitFor()
    expect(await rows(page).count()).toBeLessThan(total)
    await page.keyboard.press('Escape')
    await expect.poll(() => rows(page).count()).toBe(total)
    await page.keyboard.press('e')
    await page.keyboard.press('Enter')
    await page.getByRole('region', { name: 'Operations of the chosen connection' }).waitFor()
    await close()
  })

  test('opens the operations of a connection and keeps it in the address', async () => {
    const { page, close } = await open()
    await rows(page).first().getByRole('button').click()
    const operations = page.getByRole('region', { name: 'Operations', exact: true }).locator('tbody tr')
    await operations.first().waitFor()
    const count = await operations.count()
    const address = new URL(page.url()).searchParams
    expect([...address.keys()].sort()).toEqual(['from', 'to'])
    await page.reload()
    await operations.first().waitFor()
    expect(await operations.count()).toBe(count)
    await page.getByRole('button', { name: 'Close' }).click()
    await operations.first().waitFor({ state: 'detached' })
    await page.goBack()
    await operations.first().waitFor()
    await close()
  })

  test('keeps the time window in the address', async () => {
    const { page, close } = await open()
    await nodes(page).first().waitFor()
    await page.getByRole('button', { name: 'Last 24 h' }).click()
    await expect.poll(() => new URL(page.url()).searchParams.get('since')).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/)
    expect(await page.getByRole('button', { name: 'Last 24 h' }).getAttribute('aria-pressed')).toBe('true')
    await page.getByRole('button', { name: 'All', exact: true }).click()
    expect(page.url()).toBe(`${product.url}/`)
    await close()
  })

  test('generates policies, replays them, and the outcomes add up to all requests', async () => {
    const { page, problems, close } = await open('?view=policies', { acceptDownloads: true })
    await page.getByRole('button', { name: 'Generate and replay' }).click()
    const replay = page.getByRole('region', { name: 'Replay' })
    await replay.waitFor({ timeout: 30_000 })
    const number = (text: string) => Number(text.replaceAll(/[^\d]/g, ''))
    const outcomes = (await replay.locator('.verdict .number').allTextContents()).map(number)
    expect(outcomes).toHaveLength(6)
    const total = number(/against ([\d,]+) request/.exec((await replay.textContent()) ?? '')![1]!)
    expect(outcomes.reduce((sum, outcome) => sum + outcome, 0)).toBe(total)
    await page.getByRole('region', { name: 'Rendered files' }).getByText('apiVersion').first().waitFor()
    const downloading = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Download all (.tar)' }).click()
    const archive = await readFile(await (await downloading).path())
    expect(archive.subarray(257, 262).toString()).toBe('ustar')
    expect(archive.toString()).toContain('report.json')
    expect(problems).toEqual([])
    await close()
  })

  test('leads from a requirement that is not met to the planted workloads that share an identity', async () => {
    const { page, problems, close } = await open('?view=requirements')
    const notMet = page.getByRole('group', { name: 'Show only' }).getByRole('button', { name: /^Not met/ })
    await notMet.click()
    const list = page.getByRole('region', { name: 'List of requirements' })
    await list.getByRole('button', { name: /SM-DR11/ }).focus()
    await page.keyboard.press('Enter')
    const detail = page.getByRole('region', { name: 'Requirement', exact: true })
    await detail.getByText('data/analytics, data/feature-store').waitFor()
    expect(new URL(page.url()).searchParams.get('requirement')).toBe('SM-DR11')
    // Everything that the list shows is what was asked for, and the count beside the filter is theirs.
    const shown = await list.getByRole('listitem').allTextContents()
    expect(shown.every((text) => text.includes('Not met'))).toBe(true)
    expect(await notMet.textContent()).toBe(`Not met ${shown.length}`)
    expect(problems).toEqual([])
    await close()
  })

  test('a planted problem is found, accepted and opened again, by the keyboard alone', async () => {
    const { page, problems, close } = await open('?view=findings')
    const list = page.getByRole('region', { name: 'List of findings' })
    await list.getByRole('button').first().waitFor()
    const detail = page.getByRole('region', { name: 'Finding', exact: true })
    const row = list.getByRole('button', { name: /of several services.*data-sa/ })
    const chosen = async () => await detail.getByRole('heading', { name: /of several services/ }).count()
    for (let steps = 0; (await chosen()) === 0 && steps < 50; steps++) await page.keyboard.press('j')
    await page.keyboard.press('u')
    await page.keyboard.type('it is split next month')
    await page.keyboard.press('Tab')
    await page.keyboard.type('data team')
    await page.keyboard.press('Enter')
    await row.waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Accepted' }).click()
    await row.waitFor()
    await detail.getByText('it is split next month').waitFor()
    expect(await detail.textContent()).toContain('borne by data team')
    await page.keyboard.press('o')
    await page.keyboard.type('too early')
    await page.keyboard.press('Enter')
    await row.waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Open', exact: true }).click()
    await row.waitFor()
    expect(problems).toEqual([])
    await close()
  })

  test.each(['light', 'dark'] as const)('has no accessibility finding, %s', async (colorScheme) => {
    const { page, close } = await open('', { colorScheme })
    await rows(page).first().getByRole('button').click()
    await page.getByRole('region', { name: 'Operations', exact: true }).waitFor()
    expect(await accessibilityFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Policies' }).click()
    await page.getByRole('button', { name: 'Generate and replay' }).click()
    await page.getByRole('region', { name: 'Replay' }).waitFor({ timeout: 30_000 })
    expect(await accessibilityFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Findings' }).click()
    await page.getByRole('button', { name: 'Accept until…' }).click()
    await page.getByRole('form', { name: 'Accept until…' }).waitFor()
    expect(await accessibilityFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Requirements' }).click()
    await page.getByRole('region', { name: 'List of requirements' }).waitFor()
    expect(await accessibilityFindings(page)).toEqual([])
    await close()
  })
})
