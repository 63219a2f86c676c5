import { join } from 'node:path'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  // State of the screens lives in .svelte.ts files, which their tests import.
  plugins: [svelte({ configFile: join(import.meta.dirname, 'web/svelte.config.js') })],
  test: {
    include: ['test/**/*.test.ts', 'services/**/*.test.ts', 'policy-gen/**/*.test.ts', 'web/src/**/*.test.ts'],
    // A process for each file: the embedded engine is native and takes one data directory per process.
    pool: 'forks',
    maxWorkers: 2,
    globalSetup: 'test/support/template-setup.ts',
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
