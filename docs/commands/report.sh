tapo report evaluations/grpo evaluations/tapo --constructions outputs/tapo/constructions \
    --reflection reflection --output report.html
