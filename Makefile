.PHONY: install run test check bench soak shots
install: ; python3 manage.py version
run: ; python3 manage.py up
test: ; python3 manage.py test
check: test ; .ci/checks
bench: ; python3 manage.py bench
soak: ; python3 manage.py soak
shots: ; python3 manage.py shots
