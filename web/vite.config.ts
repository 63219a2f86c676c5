import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

/**
 * The server sends `default-src 'self'`: every asset is a file of its own, nothing is inlined into the page or as `data:`.
 * `CINCH_API` points the development server at a running `cinch serve`.
 */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [svelte()],
  build: { outDir: 'dist', emptyOutDir: true, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy: { '/api': process.env['CINCH_API'] ?? 'http://127.0.0.1:8080' } },
})
