make study STUDY=quick   # 36 minutes on two cores
make study               # nine hours on two cores, one run at a time
