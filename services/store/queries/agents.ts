import type { ClickHouseClient } from '@clickhouse/client'
import { query } from '../store.ts'
import type { Window } from './rollups.ts'

/** Requests of an edge, and those of them whose user agent is what such programs send unless they are told otherwise. */
export interface AgentRow {
  /** 32 hexadecimal digits. */
  edge: string
  requests: number
  probe: number
  scraper: number
  monitor: number
}

/** kubelet, gRPC's prober, load balancers of clouds (their documentation's health checks). */
const PROBES = '^(kube-probe/|grpc_health_probe|GoogleHC/|ELB-HealthChecker/|Envoy/HC|Consul Health Check)'
const SCRAPERS =
  '^(Prometheus/|vm_promscrape|VictoriaMetrics|Grafana(Agent| Alloy)?/|Alloy/|otelcol|OpenTelemetry Collector|Datadog Agent/)'
const MONITORS =
  '(Blackbox Exporter/|UptimeRobot/|Pingdom|Datadog/?Synthetics|StatusCake|Better Uptime|Site24x7|GoogleStackdriverMonitoring|CloudWatchSynthetics)'

/** Who they say they are on some edges, from the facts: where these are gone, nothing is said of an edge. @param edges of 32 hexadecimal digits */
export async function edgeAgents(client: ClickHouseClient, window: Window, edges: string[]): Promise<AgentRow[]> {
  if (edges.length === 0) return []
  return await query<AgentRow>(
    client,
    `SELECT lower(hex(edge)) AS edge, count() AS requests, countIf(match(user_agent, {probes:String})) AS probe,
       countIf(match(user_agent, {scrapers:String})) AS scraper, countIf(match(user_agent, {monitors:String})) AS monitor
     FROM request
     WHERE time >= parseDateTimeBestEffort({since:String}, 'UTC') AND time < parseDateTimeBestEffort({until:String}, 'UTC') AND stage = 'end'
       AND request.edge IN (SELECT unhex(arrayJoin({edges:Array(String)})))
     GROUP BY edge`,
    { ...window, edges, probes: PROBES, scrapers: SCRAPERS, monitors: MONITORS },
  )
}
