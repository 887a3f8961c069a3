# Writes what the built command knows about itself to FOLDER: completion/* for three shells, and
# man/*.[1357] by scdoc. cmake -DWARREN=… -DSOURCE=… (this tree) -DSCDOC=… (or empty) -DFOLDER=…
# -DEPOCH=… -P share.cmake
# The pages are dated by EPOCH, in seconds since 1970, so that packages are the same bytes; empty: today.
cmake_minimum_required(VERSION 3.25)

function(write_completion shell name)
  execute_process(COMMAND ${WARREN} completion ${shell} OUTPUT_FILE ${FOLDER}/completion/${name}
                  COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${FOLDER}/man ${FOLDER}/completion ${FOLDER}/sources)
file(MAKE_DIRECTORY ${FOLDER}/man ${FOLDER}/completion)
write_completion(bash warren)
write_completion(zsh _warren)
write_completion(fish warren.fish)
if(EPOCH AND NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  set(ENV{SOURCE_DATE_EPOCH} ${EPOCH})
endif()
if(SCDOC)
  execute_process(COMMAND ${WARREN} generate man ${FOLDER}/sources --source ${SOURCE} OUTPUT_QUIET
                  COMMAND_ERROR_IS_FATAL ANY)
  file(GLOB sources ${FOLDER}/sources/*.scd)
  foreach(source ${sources})
    get_filename_component(page ${source} NAME_WLE)
    execute_process(COMMAND ${SCDOC} INPUT_FILE ${source} OUTPUT_FILE ${FOLDER}/man/${page}
                    COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
  file(GLOB links ${FOLDER}/sources/*.3)
  file(COPY ${links} DESTINATION ${FOLDER}/man)
endif()
file(TOUCH ${FOLDER}/done)
