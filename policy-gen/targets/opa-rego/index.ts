import type { Target } from '../target.ts'
import { render } from './render.ts'

export const opaRego: Target = {
  id: 'opa-rego',
  title: 'Rego for Open Policy Agent behind Envoy (ext_authz)',
  limits: [
    'callers without mutual TLS have no identity: their requests cannot be allowed by name',
    'a path parameter matches any text without a slash; types are not told apart',
    "the proxy's configuration must say which callee is asked, in contextExtensions",
    'a second parameter in one segment widens it to the whole segment',
  ],
  render,
}
