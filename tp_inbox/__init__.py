"""tp-inbox: the messaging inbox that a school district hosts itself."""
