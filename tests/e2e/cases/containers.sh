#!/usr/bin/env bash
# Films of every container, and what lies beside them, copied in: byte-exact, also after a remount.
# limit: 600
. "$(dirname "$0")/../lib.sh"

declare -A source
for c in "${CONTAINERS[@]}"; do
    for size in large small; do
        film=$(make_video "$c" $size)
        source[$(basename "$film")]=$film
    done
done
printf '1\n00:00:01,000 --> 00:00:02,000\nHello\n' >"$WORK/film.srt"
printf '<movie><title>Film</title></movie>\n' >"$WORK/film.nfo"
ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=1920x1080 -frames:v 1 -vf noise=alls=60:allf=t \
    -q:v 1 "$WORK/poster.jpg"
for f in srt nfo jpg; do
    for path in "$WORK"/*."$f"; do source[$(basename "$path")]=$path; done
done

vs_mount
for name in "${!source[@]}"; do
    cp -p "${source[$name]}" "$MNT/inbox/"
    # The copy is there under its final name as soon as cp has returned, and no longer in the inbox.
    exists "$MNT/$name"
    absent_in "$MNT/inbox" "$name"
    same "${source[$name]}" "$MNT/$name"
done

vs_remount
for name in "${!source[@]}"; do
    same "${source[$name]}" "$MNT/$name"
    equal "size and time of $name" "$(stat -c '%s %Y %a' "$MNT/$name")" "$(stat -c '%s %Y %a' "${source[$name]}")"
    equal "sha256 of $name" "$(vattr "$MNT/$name" sha256)" "$(sha256sum <"${source[$name]}" | cut -d ' ' -f 1)"
done
equal "files listed" "$(find "$MNT" -maxdepth 1 -type f | wc -l)" "${#source[@]}"
equal "files counted" "$(vs_status .files)" "${#source[@]}"
