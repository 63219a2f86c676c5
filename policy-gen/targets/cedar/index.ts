import type { Target } from '../target.ts'
import { render } from './render.ts'

export const cedar: Target = {
  id: 'cedar',
  title: 'Cedar policies with their schema and entities',
  limits: [
    'callers without mutual TLS have no identity: their requests cannot be allowed by name',
    'a path parameter matches any text without a slash: Cedar has no types and no regular expressions',
    'the enforcement point must pass the path as its proxy normalised it, without the query',
    'the enforcement point must find the callee by its labels, so that a new version is the same callee',
  ],
  render,
}
