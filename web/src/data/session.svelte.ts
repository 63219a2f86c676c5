const KEY = 'cinch-token'

/** Takes the token out of a fragment such as `#token=abc`; empty when it has none. */
export function tokenOf(fragment: string): string {
  return new URLSearchParams(fragment.replace(/^#/, '')).get('token') ?? ''
}

/**
 * The administrator's token of this tab. It arrives in the fragment, which no server and no log sees, and moves to
 * the tab's own storage at once so that a copied address or a screenshot does not carry it.
 */
export class Session {
  token = $state('')
  /** True when the server refused the token (or there is none): the form is shown. */
  refused = $state(false)

  constructor() {
    this.token = sessionStorage.getItem(KEY) ?? ''
    this.takeFromAddress()
  }

  /** Also called when the fragment of an open page changes: pasting the address again does not load the page anew. */
  takeFromAddress(): boolean {
    const token = tokenOf(location.hash)
    if (token === '') return false
    history.replaceState(history.state, '', location.pathname + location.search)
    this.use(token)
    return true
  }

  use(token: string): void {
    sessionStorage.setItem(KEY, token)
    this.token = token
    this.refused = false
  }
}
