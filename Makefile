# make libssl     the drop-in libssl.so.3, release build, as target/libssl/libssl.so.3
# make libssl-dev the same from the debug build, for work on it
#
# Run a program on it with LD_LIBRARY_PATH=target/libssl, or with `certstatus exec -- PROGRAM`.

CARGO ?= cargo
LIBRARY = libcertstatus_libssl.so

.PHONY: libssl libssl-dev

libssl:
	$(CARGO) build --locked --release -p certstatus-libssl
	mkdir -p target/libssl
	cp target/release/$(LIBRARY) target/libssl/libssl.so.3.new
	mv target/libssl/libssl.so.3.new target/libssl/libssl.so.3

libssl-dev:
	$(CARGO) build -p certstatus-libssl
	mkdir -p target/libssl
	cp target/debug/$(LIBRARY) target/libssl/libssl.so.3.new
	mv target/libssl/libssl.so.3.new target/libssl/libssl.so.3
