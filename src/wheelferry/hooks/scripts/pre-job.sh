#!/bin/sh
# Before a job: bring what it needs from the store into the uv cache.  The argument is the
# directory of the checkout; without one, as before a checkout, all that is new comes.

@COMMON@
project=${1-}

# Ask the daemon of the host, from a container without Python: docs/hooks.md has the
# protocol.  Its answer is the last line.
ask() {
  if command -v curl >/dev/null; then
    run curl -q -sS --noproxy '*' --max-time "$limit_s" --unix-socket "$socket" \
      -X POST -H "Project: $project" http://wheelferry/pull </dev/null
  elif command -v socat >/dev/null; then
    request | run socat -t "$limit_s" - "UNIX-CONNECT:$socket"
  elif nc -h 2>&1 | grep -q -e -U; then
    request | run nc -w "$limit_s" -U "$socket"
  else
    echo 'no curl, socat or nc -U to ask the daemon with; the job goes on'
  fi
}

request() {
  printf 'POST /pull HTTP/1.0\r\nProject: %s\r\n\r\n' "$project"
}

printf 'wheelferry: '
if [ -x "$python" ]; then
  run "$python" -I -m wheelferry pull ${config:+--config "$config"} \
    --deadline "${deadline_s}s" ${project:+--project "$project"} </dev/null ||
    echo "the pull was ended ($?); the job goes on"
elif [ -z "$socket" ]; then
  echo "there is no $python; the job goes on"
elif [ ! -S "$socket" ]; then
  echo "there is neither $python nor $socket; the job goes on"
elif [ -z "$project" ]; then
  echo 'nothing is asked for before there is a checkout'
else
  answer=$(ask) || answer="${answer:+$answer: }the daemon gave no answer; the job goes on"
  printf '%s\n' "$answer" | tail -n 1
fi
