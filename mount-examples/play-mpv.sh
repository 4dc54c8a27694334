#!/usr/bin/env bash
# Play a stored film with mpv: play-mpv.sh FILM [mpv options]
# mpv takes the mount for a network and reads ahead at full speed into its own cache; a cache that
# holds half a minute of film is enough, the mount does the rest.
set -euo pipefail
film=${1:?which film? play-mpv.sh FILM}
shift
exec mpv --cache=yes --demuxer-max-bytes=64MiB --demuxer-readahead-secs=30 "$@" -- "$film"
