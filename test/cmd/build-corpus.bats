# time-limit: 600
# The corpus of Dockerfiles: a test for each folder of test/data/build (see test/lib/corpus.bash).

load ../lib/common
load ../lib/corpus

setup_file() {
    base_image
}

@test "add-broken" { corpus_case add-broken; }
@test "add-bzip2" { corpus_case add-bzip2; }
@test "add-checksum-local" { corpus_case add-checksum-local; }
@test "add-evil" { corpus_case add-evil; }
@test "add-gzip" { corpus_case add-gzip; }
@test "add-merge" { corpus_case add-merge; }
@test "add-not-archive" { corpus_case add-not-archive; }
@test "add-plain" { corpus_case add-plain; }
@test "add-rootfs" { corpus_case add-rootfs; }
@test "add-unpack-off" { corpus_case add-unpack-off; }
@test "add-xz" { corpus_case add-xz; }
@test "add-zstd" { corpus_case add-zstd; }
@test "arg-env-wins" { corpus_case arg-env-wins; }
@test "arg-platform" { corpus_case arg-platform; }
@test "arg-proxies" { corpus_case arg-proxies; }
@test "arg-scopes" { corpus_case arg-scopes; }
@test "arg-unused" { corpus_case arg-unused; }
@test "bom-crlf" { corpus_case bom-crlf; }
@test "cmd-entrypoint" { corpus_case cmd-entrypoint; }
@test "cmd-last-wins" { corpus_case cmd-last-wins; }
@test "cmd-reset" { corpus_case cmd-reset; }
@test "continuation" { corpus_case continuation; }
@test "copy-basics" { corpus_case copy-basics; }
@test "copy-chmod" { corpus_case copy-chmod; }
@test "copy-chown-unknown" { corpus_case copy-chown-unknown; }
@test "copy-chown" { corpus_case copy-chown; }
@test "copy-exclude" { corpus_case copy-exclude; }
@test "copy-from-image" { corpus_case copy-from-image; }
@test "copy-from-owners" { corpus_case copy-from-owners; }
@test "copy-into-image" { corpus_case copy-into-image; }
@test "copy-link-names" { corpus_case copy-link-names; }
@test "copy-link" { corpus_case copy-link; }
@test "copy-links" { corpus_case copy-links; }
@test "copy-on-directory" { corpus_case copy-on-directory; }
@test "copy-outside" { corpus_case copy-outside; }
@test "copy-parents" { corpus_case copy-parents; }
@test "copy-several-no-slash" { corpus_case copy-several-no-slash; }
@test "copy-wildcards-taken" { corpus_case copy-wildcards-taken; }
@test "copy-wildcards" { corpus_case copy-wildcards; }
@test "directive-check-error" { corpus_case directive-check-error; }
@test "directive-check-skip" { corpus_case directive-check-skip; }
@test "directive-escape-bad" { corpus_case directive-escape-bad; }
@test "directive-escape" { corpus_case directive-escape; }
@test "directive-late" { corpus_case directive-late; }
@test "directive-syntax" { corpus_case directive-syntax; }
@test "directive-twice" { corpus_case directive-twice; }
@test "env-forms" { corpus_case env-forms; }
@test "expand-broken" { corpus_case expand-broken; }
@test "expand-from-flags" { corpus_case expand-from-flags; }
@test "expand-required" { corpus_case expand-required; }
@test "expand" { corpus_case expand; }
@test "expose-bad" { corpus_case expose-bad; }
@test "expose" { corpus_case expose; }
@test "from-empty" { corpus_case from-empty; }
@test "from-platform-foreign" { corpus_case from-platform-foreign; }
@test "from-platform" { corpus_case from-platform; }
@test "healthcheck-bad-duration" { corpus_case healthcheck-bad-duration; }
@test "healthcheck-bad-retries" { corpus_case healthcheck-bad-retries; }
@test "healthcheck-exec" { corpus_case healthcheck-exec; }
@test "healthcheck-none" { corpus_case healthcheck-none; }
@test "healthcheck" { corpus_case healthcheck; }
@test "heredoc-copy" { corpus_case heredoc-copy; }
@test "heredoc-open" { corpus_case heredoc-open; }
@test "heredoc-run-fails" { corpus_case heredoc-run-fails; }
@test "heredoc-run-script" { corpus_case heredoc-run-script; }
@test "heredoc-run-shell" { corpus_case heredoc-run-shell; }
@test "heredoc-run" { corpus_case heredoc-run; }
@test "history" { corpus_case history; }
@test "ignore-bad-pattern" { corpus_case ignore-bad-pattern; }
@test "ignore-container-first" { corpus_case ignore-container-first; }
@test "ignore-last-wins" { corpus_case ignore-last-wins; }
@test "ignore-names-rule" { corpus_case ignore-names-rule; }
@test "ignore-own-file" { corpus_case ignore-own-file; }
@test "ignore-rules" { corpus_case ignore-rules; }
@test "inline-comment-copy" { corpus_case inline-comment-copy; }
@test "inline-comment-from" { corpus_case inline-comment-from; }
@test "inline-comment-user" { corpus_case inline-comment-user; }
@test "json-forms" { corpus_case json-forms; }
@test "json-near-miss" { corpus_case json-near-miss; }
@test "label-forms" { corpus_case label-forms; }
@test "letter-case" { corpus_case letter-case; }
@test "maintainer" { corpus_case maintainer; }
@test "mid-line-backslash" { corpus_case mid-line-backslash; }
@test "no-from" { corpus_case no-from; }
@test "onbuild-forbidden" { corpus_case onbuild-forbidden; }
@test "onbuild-kept" { corpus_case onbuild-kept; }
@test "onbuild" { corpus_case onbuild; }
@test "run-fails" { corpus_case run-fails; }
@test "run-forms" { corpus_case run-forms; }
@test "run-mount-bad" { corpus_case run-mount-bad; }
@test "run-mount-bind" { corpus_case run-mount-bind; }
@test "run-mount-cache" { corpus_case run-mount-cache; }
@test "run-mount-tmpfs-secret" { corpus_case run-mount-tmpfs-secret; }
@test "run-network-bad" { corpus_case run-network-bad; }
@test "run-network" { corpus_case run-network; }
@test "run-not-found" { corpus_case run-not-found; }
@test "run-security" { corpus_case run-security; }
@test "shell-not-json" { corpus_case shell-not-json; }
@test "shell-stops" { corpus_case shell-stops; }
@test "shell" { corpus_case shell; }
@test "stage-duplicate" { corpus_case stage-duplicate; }
@test "stage-unknown" { corpus_case stage-unknown; }
@test "stages" { corpus_case stages; }
@test "stopsignal-bad" { corpus_case stopsignal-bad; }
@test "stopsignal" { corpus_case stopsignal; }
@test "trailing-blanks" { corpus_case trailing-blanks; }
@test "unknown-instruction" { corpus_case unknown-instruction; }
@test "user" { corpus_case user; }
@test "volume" { corpus_case volume; }
@test "workdir-not-directory" { corpus_case workdir-not-directory; }
@test "workdir" { corpus_case workdir; }

@test "every folder has its test" {
    for folder in "$CORPUS"/*/; do
        name=$(basename "$folder")
        grep -qx "@test \"$name\" { corpus_case $name; }" "$BATS_TEST_FILENAME" || {
            echo "no test for $name" >&2
            return 1
        }
    done
}

@test "nothing is left behind" {
    whelk rm -af >/dev/null
    whelk rmi -af >/dev/null
    no_leftovers
}
