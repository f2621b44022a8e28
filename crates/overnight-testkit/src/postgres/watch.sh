# Ends a server and removes its folder ($1) once the process that holds the other end of the standard input is gone.
# Each line read is the pid of the program that now runs in the folder, or `none`; `end` asks to clean up at once.

trap '' HUP INT TERM

running() {
    read -r stat <"/proc/$1/stat" || return 1
    case ${stat##*) } in [ZX]*) return 1 ;; esac
}

program=none
while read -r line && [ "$line" != end ]; do
    program=$line
done

if [ "$program" != none ]; then
    # An immediate shutdown, in which the server kills children that do not follow within 5 s. It may have been stopped.
    kill -QUIT "$program"
    kill -CONT "$program"
    polls=0
    while running "$program" && [ "$polls" -lt 300 ]; do
        sleep 0.05
        polls=$((polls + 1))
    done
    kill -KILL "$program"
fi
rm -rf "$1"
