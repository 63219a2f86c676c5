/**
 * The shop: seeded telemetry of about fifty workloads in two clusters, with ground truth. `README.md` tells how to read it;
 * `workloads.ts`, `journeys.ts` and `planted.ts` are its tables.
 */
export { type Batch, type ShopOptions, shopScenario, shopTruth } from './generate.ts'
export type { LineFormat } from './line.ts'
export { type KubernetesObject, shopObjects, shopPolicies, toYaml } from './objects.ts'
export type { Truth, TruthCall, TruthOperation, TruthParty, TruthPlant } from './truth.ts'
export { CLUSTERS, type Cluster, TRUST_DOMAIN } from './world.ts'
