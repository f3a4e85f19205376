#!/bin/sh
# After a job: put what it has built or downloaded from the uv cache into the store.

@COMMON@
if [ -x "$python" ]; then
  printf 'wheelferry: '
  run "$python" -I -m wheelferry promote ${config:+--config "$config"} \
    --deadline "${deadline_s}s" </dev/null ||
    echo "the promotion was ended ($?); the next one goes on"
elif [ ! -S "$socket" ]; then
  echo "wheelferry: there is no $python; nothing is promoted"
fi
# With the daemon's socket there is a daemon, which promotes by itself.
