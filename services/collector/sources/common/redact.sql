-- A rejected line without its secrets: it is kept to mend a format, never to read what it carried. Cut first, so that no
-- pattern sees half of a secret that it would know whole: what is longer than the cut ends in a word that is dropped.
-- Quotes may be escaped, for a shipper writes lines into JSON strings.
replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(
  if(length(line) > 4096, replaceRegexpOne(toValidUTF8(substring(line, 1, 4096)), '[^ ",;&]*$', ''), toValidUTF8(line)),
  '(?i)(\\?|%3f)[^" \\\\]*', '?<query>'),
  '://[^/@" ]*@', '://<redacted>@'),
  '(?i)\\b(bearer|basic|negotiate|digest)\\s+[a-z0-9+/=._~-]+', '\\1 <redacted>'),
  -- A cookie's whole value, whatever its parts are called.
  '(?i)(cookie\\\\*["\']?\\s*[:=]\\s*\\\\*["\']?)[^"\'\\\\]+', '\\1<redacted>'),
  '(?i)((?:authorization|token|secret|passw(?:or)?d|pwd|credential|api[-_]?key|access[-_]?key|session|sess|sid|signature|assertion|otp)[a-z_-]*\\\\*["\']?\\s*(?:[:=]|%3[ad])\\s*\\\\*["\']?)[^"\',;\\\\ &]+', '\\1<redacted>'),
  '\\beyJ[A-Za-z0-9_-]{5,}(\\.[A-Za-z0-9_-]*){0,4}|\\b[A-Za-z0-9+_-]{40,}={0,2}', '<redacted>')
