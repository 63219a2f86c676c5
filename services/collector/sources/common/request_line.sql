-- `METHOD PATH PROTOCOL` of a text log; TCP connections log `- - -`. A path may hold raw spaces: all between first and last.
  request[1] AS method_text,
  arrayStringConcat(arraySlice(request, 2, greatest(length(request) - 2, 0)), ' ') AS path_text,
  request[-1] AS protocol_text
