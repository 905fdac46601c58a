#!/bin/sh
# Prints FILE as a C string literal. (A script, because Meson changes backslashes in the commands of its targets.)
exec sed -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' "$1"
