import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { build } from 'vite'

const EXECUTABLE = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * Whether the browser tests are left out: without the Debian package chromium (or the program that CHROMIUM_PATH
 * names) they cannot run. With CINCH_REQUIRE_CHROMIUM=1 they run, and fail, all the same.
 */
export function withoutBrowser(): boolean {
  const without = !existsSync(EXECUTABLE) && process.env['CINCH_REQUIRE_CHROMIUM'] !== '1'
  if (without)
    console.warn(`Browser tests are skipped: there is no ${EXECUTABLE}. Install chromium or set CHROMIUM_PATH.`)
  return without
}

/** Builds the page anew: a test of what was built the last time would say nothing about the sources. */
export async function buildPage(): Promise<void> {
  const configFile = join(import.meta.dirname, '../../web/vite.config.ts')
  await build({ configFile, logLevel: 'error' })
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS })
}

export interface Visit {
  page: Page
  /** What the page reported: errors, failed resources and breaches of the content security policy. */
  problems: string[]
  close: () => Promise<void>
}

/** A new tab of its own, which has never seen the product. Requests to anywhere but the product are a problem. */
export async function visit(browser: Browser, address: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })
  const page = await context.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(new URL(address).origin) && !url.startsWith('blob:')) problems.push(`asked ${url}`)
  })
  await page.addInitScript({ path: createRequire(import.meta.url).resolve('axe-core/axe.min.js') })
  await page.goto(address)
  return { page, problems, close: () => context.close() }
}

interface Finding {
  id: string
  nodes: { target: unknown; failureSummary?: string }[]
}

/** What axe-core finds against WCAG 2.2 A and AA and its own best practices, one line each. */
export async function accessibilityFindings(page: Page): Promise<string[]> {
  const violations: Finding[] = await page.evaluate('axe.run(document).then((result) => result.violations)')
  return violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes
        .map((node) => JSON.stringify(node.target))
        .slice(0, 5)
        .join(' ')} ${nodes[0]?.failureSummary ?? ''}`,
  )
}
