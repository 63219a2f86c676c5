import type { GraphNode } from '../../../services/model/graph.ts'
import type { Bundle } from './bundle.ts'
import { subtitle, title } from './label.ts'
import { type Scene, scene } from './scene.ts'

const SCENES_MAX = 12

/**
 * Remembers the last scenes by what they were made from (the text itself, not a hash of it: two graphs must never
 * share places). Counts are not part of it, so a refresh that brings only new counts moves nothing.
 */
export function createSceneCache(make = scene): typeof scene {
  const scenes = new Map<string, Scene>()
  return (nodes: readonly GraphNode[], bundles: readonly Bundle[], expanded: readonly string[]): Scene => {
    const parts = nodes.map((node) => JSON.stringify([node.id, node.kind, title(node), subtitle(node)]))
    const key = JSON.stringify([parts.sort(), bundles.map((bundle) => bundle.key), [...expanded].sort()])
    const found = scenes.get(key) ?? make(nodes, bundles, expanded)
    scenes.delete(key)
    scenes.set(key, found)
    const oldest = scenes.keys().next().value
    if (scenes.size > SCENES_MAX && oldest !== undefined) scenes.delete(oldest)
    return found
  }
}
