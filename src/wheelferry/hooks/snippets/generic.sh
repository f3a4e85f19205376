# before the job, with the directory of the checkout
@PRE@ "$DIRECTORY" || true
# after it
@POST@ || true
