/**
 * What `{*}` matches of a segment, and `{**}` across slashes: RFC 3986's pchar, so everything that a normalised path may
 * have but `[` and `]`. Asked of Envoy 1.36.2, 1.38.3 and 1.40.0, and of the last one in `test/lab/fixtures/cases.json`.
 *
 * Older ones differ: `*` is matched from 1.35 on (and in the patches of May 2025 to 1.31, 1.32, 1.33 and 1.34; reloadable
 * feature `uri_template_match_on_asterisk`), `=` was not in the library of 2022 (its `uri_template_internal.cc`).
 */
export const TEMPLATE_VALUE = /^[a-zA-Z0-9\-._~%!$&'()*+,;:@=]+$/
