import { FIXTURE_TOKEN, startFixture } from './fixture-server.ts'

export interface Product {
  /** Address of the page, without a trailing slash. */
  url: string
  /** The administrator's token. */
  token: string
  close: () => Promise<void>
}

/** Starts what the browser test looks at, with data that has at least one denied call, one connection with operations and no grouping. */
export async function startProduct(): Promise<Product> {
  const { url, close } = await startFixture(48)
  return { url, token: FIXTURE_TOKEN, close }
}
